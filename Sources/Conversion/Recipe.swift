import Calibration
import DTZFormat
import Inference
import Quantization
import TensorIR

/// How weights are to be stored, and how their codes are chosen.
public struct Recipe: Sendable {
    /// How the codes of a quantized matrix are chosen.
    public enum Method: String, Sendable, Hashable, CaseIterable {
        /// Each weight by itself, with the reference encoder of its format.
        case encode
        /// Scales searched to minimize the weighted error, each weight then to its nearest code.
        case rtn
        /// Error feedback under the Hessian of calibration text (Frantar et al. 2022).
        case gptq
    }

    /// What matrices become; nil keeps what they are, where the output can hold it.
    ///
    /// In GGUF a block encoding stands for the mix with most matrices in it.
    public var encoding: Encoding?
    /// Which matrices of a GGUF become what; overrules `encoding`.
    public var mix: Mix?
    /// What is decided about single tensors of a GGUF.
    public var types = TensorTypes()
    /// A size for a GGUF, under which the losses expected are as small as can be; overrules `encoding` and
    /// `mix`.
    public var budget: Budget?
    public var method = Method.encode
    /// Whether the residual stream is turned by an orthogonal matrix first, and by which: the same one for
    /// the same number.
    public var rotationSeed: UInt64?
    /// Whether channels are scaled first, so that weights that meet large inputs are rounded more finely
    /// (AWQ, Lin et al. 2023). Needs calibration text.
    public var scalesChannels = false
    package var awq = AWQ()
    package var gptq = GPTQ()
    /// What is added to a Hessian's diagonal, as a fraction of its mean.
    public var dampingFraction: Float = Hessian.usualDampingFraction
    /// Whether each layer of GPTQ makes up for what the ones before it have lost, measured against the
    /// model as it was.
    public var compensatesDrift = true
    public var columnOrder = ColumnOrder.activation
    public var tokenWeighting = TokenWeighting.attention
    /// Of the products that calibration text takes. Weights are exact whatever it is.
    public var precision = Precision.f32
    /// Calibration text, as windows of token ids of one length.
    public var calibrationWindows: [[Int32]] = []
    /// Windows of random tokens that GPTQ sees beside those of the text; nil: one for sixteen of these.
    public var randomWindowCount: Int?
    /// As many of them as there will be.
    public var decidedRandomWindowCount: Int {
        randomWindowCount ?? (calibrationWindows.count + 8) / 16
    }
    /// SHA-256 of the text that the windows are from: sensitivities that were measured on another are
    /// refused.
    public var calibrationDigest: String?
    /// Weights for the columns, from a file.
    public var importance: ImportanceMatrix?
    /// Whether what would otherwise be reported is an error: matrices that the calibration text or the
    /// importance matrix says nothing about, and those that GPTQ had to leave to rounding.
    public var isStrict = false
    /// What the output shall say of its origin, over what it says anyway: see `Provenance`.
    public var provenance: Metadata = [:]
    /// The source's digest, for which `provenance` keeps a place: stated when the tensors of a single GGUF
    /// file are made.
    public var sourceDigest: SourceDigest?
    /// Whether weights that are quantized already may be quantized again where that changes them.
    public var allowsRequantizing = false
    /// Shards of at most this many bytes, for Hugging Face outputs.
    public var maximumShardByteCount: Int?
    public var threadCount: Int?
    /// Bytes that the activations of calibration text may take in memory; what is beyond lies in temporary
    /// files beside the output. nil: no limit.
    public var activationByteLimit: Int?
    /// How a DTZ file is written.
    public var compression = DTZOptions()

    public init(encoding: Encoding? = nil, method: Method = .encode) {
        (self.encoding, self.method) = (encoding, method)
    }

    public init(mix: Mix, method: Method = .encode) {
        (self.mix, self.method) = (mix, method)
    }

    /// Whether the source's encodings stay.
    var keepsEncodings: Bool {
        encoding == nil && mix == nil && budget == nil && types == TensorTypes()
    }

    /// How a DTZ file is written on the recipe's threads, which are two unless it says otherwise.
    var dtzOptions: DTZOptions {
        var options = compression
        options.threadCount = threadCount ?? options.threadCount
        return options
    }

    /// Whose conventions the content of a DTZ file follows, unless its name says so.
    func dialect(of input: Checkpoint) -> Checkpoint.Dialect {
        switch encoding {
        case .block: .gguf
        case .grouped: .huggingFace
        case .scalar, nil:
            mix != nil || budget != nil || types != TensorTypes() ? .gguf : input.dialect
        }
    }

    /// Whether other weights than the source's are quantized.
    var changesWeights: Bool { rotationSeed != nil || scalesChannels }

    /// Whether something is known of the inputs of matrices.
    var hasStatistics: Bool { importance != nil || !calibrationWindows.isEmpty }
}
