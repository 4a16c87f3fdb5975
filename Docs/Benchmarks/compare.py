#!/usr/bin/env python3
"""Vitrine beside onnxruntime and PyTorch on the same models, alternating in one run.

    compare.py MODEL.onnx... [--vitrine .build/release/vitrine] [--rounds 5] [--threads 2]

Each round runs, one process after the other: `vitrine benchmark`, onnxruntime (forward only), and PyTorch eager, which
executes the same ONNX graph node by node in its own operators (contiguous and channels-last, the faster one counts).
Prints medians over the rounds of each process's median, in milliseconds, and peer divided by ours. A development tool:
needs numpy, onnx, onnxruntime and torch.
"""
import argparse, json, statistics, subprocess, sys, time

p = argparse.ArgumentParser()
p.add_argument("models", nargs="+")
p.add_argument("--vitrine", default=".build/release/vitrine")
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--batch", type=int, default=1)
p.add_argument("--peer", help=argparse.SUPPRESS)
a = p.parse_args()


def timed(call, seconds=1.0):
    for _ in range(3):
        call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def torch_graph(path, channels_last):
    """Returns a function from input to logits in PyTorch's operators."""
    import onnx, torch
    import torch.nn.functional as F
    from onnx import numpy_helper

    g = onnx.load(path).graph
    names = {i.name for i in g.initializer}
    constants = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in g.initializer}
    if channels_last:
        constants = {k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in constants.items()}
    source = next(i.name for i in g.input if i.name not in names)

    def attributes(n):
        return {x.name: onnx.helper.get_attribute_value(x) for x in n.attribute}

    nodes = [(n.op_type, list(n.input), n.output[0], attributes(n)) for n in g.node]

    def run(x):
        v = dict(constants)
        v[source] = x
        for kind, i, o, at in nodes:
            arg = [v[n] if n else None for n in i]
            if kind == "Conv":
                pads = at.get("pads", [0] * 4)
                y = F.conv2d(arg[0], arg[1], arg[2] if len(arg) > 2 else None, at.get("strides", 1), pads[:2], at.get("dilations", 1), at.get("group", 1))
            elif kind == "BatchNormalization": y = F.batch_norm(arg[0], arg[3], arg[4], arg[1], arg[2], False, 0, at.get("epsilon", 1e-5))
            elif kind == "Relu": y = F.relu(arg[0])
            elif kind == "MaxPool": y = F.max_pool2d(arg[0], at["kernel_shape"], at.get("strides"), at.get("pads", [0, 0])[:2])
            elif kind == "AveragePool": y = F.avg_pool2d(arg[0], at["kernel_shape"], at.get("strides"))
            elif kind == "GlobalAveragePool": y = arg[0].mean((2, 3), keepdim=True)
            elif kind == "Concat": y = torch.cat(arg, at["axis"])
            elif kind == "Add": y = arg[0] + arg[1]
            elif kind == "Gemm": y = F.linear(arg[0], arg[1], arg[2])
            elif kind == "Flatten": y = arg[0].flatten(1)
            elif kind in ("Dropout", "Identity"): y = arg[0]
            elif kind == "Softmax": return arg[0].flatten(1)
            elif kind == "Constant": y = torch.from_numpy(numpy_helper.to_array(at["value"]).copy())
            elif kind == "Slice":
                y = arg[0]
                for start, end, axis, step in zip(*[t.tolist() for t in arg[1:5]]):
                    y = y.index_select(axis, torch.arange(*slice(start, end, step).indices(y.shape[axis])))
            elif kind == "Pad":
                t = arg[1].tolist()
                y = F.pad(arg[0], [q for k in reversed(range(len(t) // 2)) for q in (t[k], t[len(t) // 2 + k])])
            elif kind == "ConstantOfShape": y = torch.zeros(arg[0].tolist(), dtype=torch.int64)
            elif kind == "Reshape": y = arg[0].reshape([arg[0].shape[k] if d == 0 else d for k, d in enumerate(arg[1].tolist())])
            elif kind == "Transpose": y = arg[0].permute(at["perm"]) if "perm" in at else arg[0].T
            elif kind == "Cast": y = arg[0].long() if at["to"] == 7 else arg[0]
            elif kind == "Shape": y = torch.tensor(arg[0].shape)
            elif kind == "Gather": y = arg[0][arg[1]]
            elif kind == "Unsqueeze": y = arg[0].reshape(1)
            else: raise SystemExit(f"no {kind}")
            v[o] = y
        return y

    return run


def peer(name, path):
    import numpy as np, onnx
    g = onnx.load(path).graph
    names = {i.name for i in g.initializer}
    port = next(i for i in g.input if i.name not in names)
    shape = [d.dim_value or 1 for d in port.type.tensor_type.shape.dim]
    shape[0] = a.batch if shape[0] == 1 else shape[0]
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    if name == "onnxruntime":
        import onnxruntime as ort
        o = ort.SessionOptions()
        o.intra_op_num_threads = a.threads
        s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
        return {"forward": timed(lambda: s.run(None, {port.name: x}))}
    import torch
    torch.set_num_threads(a.threads)
    best = {}
    for last in (False, True):
        f = torch_graph(path, last)
        t = torch.from_numpy(x)
        t = t.contiguous(memory_format=torch.channels_last) if last else t

        def gradient():
            u = t.clone().requires_grad_(True)
            torch.autograd.grad(f(u)[:, 0].sum(), u)

        with torch.no_grad():
            forward = timed(lambda: f(t))
        for task, value in (("forward", forward), ("gradient", timed(gradient))):
            best[task] = min(best.get(task, 9e9), value)
    return best


if a.peer:
    print(json.dumps(peer(a.peer, a.models[0])))
    sys.exit()

print(f"threads {a.threads}, batch {a.batch}, {a.rounds} rounds; milliseconds (peer / ours)")
for model in a.models:
    rows = {}
    for _ in range(a.rounds):
        for task, method in (("forward", "forward"), ("gradient", "gradient-magnitude")):
            r = subprocess.run([a.vitrine, "benchmark", model, "--task", method, "--batch", str(a.batch), "--threads", str(a.threads), "--json"], capture_output=True, text=True, check=True)
            rows.setdefault(("vitrine", task), []).append(json.loads(r.stdout)["median"])
        for name in ("onnxruntime", "torch"):
            r = subprocess.run([sys.executable, __file__, model, "--peer", name, "--threads", str(a.threads), "--batch", str(a.batch)], capture_output=True, text=True)
            if r.returncode:
                print(f"{name}: {r.stderr.strip().splitlines()[-1][:100]}")
                continue
            for task, value in json.loads(r.stdout).items():
                rows.setdefault((name, task), []).append(value)
    for task in ("forward", "gradient"):
        ours = statistics.median(rows[("vitrine", task)])
        cells = [f"vitrine {ours * 1e3:8.3f}"]
        for name in ("onnxruntime", "torch"):
            if (name, task) in rows:
                theirs = statistics.median(rows[(name, task)])
                cells.append(f"{name} {theirs * 1e3:8.3f} ({theirs / ours:.2f})")
        print(f"{model.split('/')[-1]:32s} {task:9s} " + "   ".join(cells))
