// One import for everything that the package offers:
//
//     import Detent
//
//     let model = try ModelFile.open("SmolLM2-135M-Instruct")
//     let recipe = Recipe(encoding: .block(.q8_0), method: .rtn)
//     let plan = try ConversionPlan(input: model, outputPath: "out.gguf", recipe: recipe)
//     try plan.execute()

@_exported import Architectures
@_exported import BlockFormats
@_exported import ByteIO
@_exported import Calibration
@_exported import Conversion
@_exported import Evaluation
@_exported import GGUFFormat
@_exported import Generation
@_exported import Inference
@_exported import Ladder
@_exported import ProgressReporting
@_exported import Quantization
@_exported import Reporting
@_exported import SafetensorsFormat
@_exported import TensorIR
@_exported import Tokenization
