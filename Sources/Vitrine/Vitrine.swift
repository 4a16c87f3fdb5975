// One import for those who use the library: `import Vitrine`.

@_exported public import VitrineActivations
@_exported public import VitrineCore
@_exported public import VitrineData
@_exported public import VitrineFilterVisualization
@_exported public import VitrineGradCAM
@_exported public import VitrineGradientMagnitude
@_exported public import VitrineGuidedBackpropagation
@_exported public import VitrineImaging
@_exported public import VitrineIntegratedGradients
@_exported public import VitrineJacobian
@_exported public import VitrineLayers
@_exported public import VitrineNetwork
@_exported public import VitrineONNX
@_exported public import VitrineOcclusion
@_exported public import VitrineReport
@_exported public import VitrineSafetensors
@_exported public import VitrineSmoothGrad
@_exported public import VitrineTensor
@_exported public import VitrineTraining
