import ByteIO
import Conversion
import Evaluation
import Reporting
import TensorIR

extension EvaluationReport.Leakage {
    /// What the text that a model is measured on has in common with the one that it was calibrated on; nil
    /// where that is not known, or not there.
    ///
    /// - Parameters:
    ///   - checkpoint: the model; what `quantize` wrote names its calibration text in its recipe.
    ///   - explicit: the calibration text as the user gave it.
    ///   - corpus: the text that the model is measured on.
    /// - Throws: what reading a text that was given explicitly throws, and `SystemError` for one that is
    ///   there but cannot be read.
    init?(of checkpoint: Checkpoint, explicit: String?, in corpus: CorpusText) throws {
        guard let text = try explicit.map(CorpusText.init) ?? Self.recordedText(of: checkpoint)
        else { return nil }
        self.init(
            calibration: text.name,
            overlap: TextOverlap(evaluation: corpus.bytes, calibration: text.bytes))
    }

    /// The text that the model's metadata name, where it is to be found and has the digest that they state.
    private static func recordedText(of checkpoint: Checkpoint) throws -> CorpusText? {
        guard let provenance = Provenance(checkpoint.metadata),
            let digest = provenance.digests["calibration"],
            let name = try JSON(
                parsing: Array(provenance.recipe.utf8), subject: "detent.recipe"
            )["calibration"]?.string,
            !name.contains("/"), try FileSystem.exists(name) || CorpusText.isBundled(name)
        else { return nil }
        let text = try CorpusText(name)
        return text.digest == digest ? text : nil
    }
}
