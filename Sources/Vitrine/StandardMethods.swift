extension MethodCatalog {
  /// The methods that come with Vitrine.
  ///
  /// To add one, `register(_:)` it to a copy:
  ///
  ///     var catalog = MethodCatalog.standard
  ///     try catalog.register(MyExplainer.self)
  public static let standard: MethodCatalog = {
    do {
      return try MethodCatalog([
        GradientMagnitude.self,
        SmoothGrad.self,
        InputJacobian.self,
        IntegratedGradients.self,
        Occlusion.self,
        GradCAM.self,
        GuidedGradCAM.self,
        GuidedBackpropagation.self,
        Deconvnet.self,
        Activations.self,
        FilterVisualization.self,
      ])
    } catch {
      preconditionFailure("the methods of Vitrine have unique names: \(error)")
    }
  }()
}
