public import VitrineTensor

extension Differentiable {
  public func forwardModeObstacle(to site: Site) -> String? {
    "this model has no forward mode"
  }

  public func directionalDerivatives(
    of site: Site, along tangents: [Inputs], at inputs: Inputs, context: Context
  ) throws -> [Tensor] {
    throw CoreError.notApplicable(
      (forwardModeObstacle(to: site) ?? "this model promises a forward mode that it does not have")
        + ": differentiate in reverse")
  }
}
