/// What onnxruntime 1.31.1 computes for the networks of ``LayerExample``, printed by
/// Docs/Development/check_onnx.py.
let onnxruntimeProbes: [String: Double] = [:]
