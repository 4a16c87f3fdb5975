#!/usr/bin/env python3
"""Loads the networks that Vitrine's layers make in onnxruntime and compares outputs.

    check_onnx.py [--swift "swift test"]

Needs numpy, onnx and onnxruntime. Writes one ONNX file for every kind of layer by running the test
LayerTests/files(), checks each with onnx.checker, runs it in onnxruntime without graph optimisations,
and prints for each the largest difference and the probe that LayerTests compares with. Exit code 1 if
a file is refused or differs by more than 1e-5 of its largest output.
"""
import argparse, glob, os, pathlib, shlex, subprocess, sys, tempfile
import numpy as np, onnx, onnxruntime

p = argparse.ArgumentParser()
p.add_argument("--swift", default="swift test")
a = p.parse_args()
root = pathlib.Path(__file__).resolve().parents[2]
failed = 0
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(shlex.split(a.swift) + ["--filter", "VitrineLayersTests.LayerTests/files"], cwd=root, check=True,
                   env=dict(os.environ, VITRINE_LAYER_FILES=folder), stdout=subprocess.DEVNULL)
    files = sorted(glob.glob(folder + "/*.onnx"))
    for file in files:
        name = pathlib.Path(file).stem
        try:
            onnx.checker.check_model(onnx.load(file), full_check=True)
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
            got = session.run(None, {"input": np.load(file.removesuffix("onnx") + "input.npy")})[0].astype(np.float64)
            ours = np.load(file.removesuffix("onnx") + "output.npy").astype(np.float64)
            difference = np.abs(got - ours).max() / max(1e-12, np.abs(got).max()) if got.shape == ours.shape else np.inf
            flat = got.ravel()
            probe = float((flat * ((np.arange(flat.size) * 37) % 101 - 50) / 50).sum())
            ok = difference < 1e-5
            print(f'  "{name}": {probe:.9g},' + f"  // {difference:.1e}" * (not ok))
        except Exception as error:
            ok = False
            print(f"FAIL {name}: {str(error).splitlines()[0][:300]}")
        failed += not ok
    print(f"{len(files) - failed} of {len(files)} agree", file=sys.stderr)
sys.exit(failed > 0 or not files)
