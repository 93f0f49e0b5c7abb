import ByteIO
import OrderedCollections
import TensorIR

/// Hugging Face folders whose matrices are already quantized, in any of the layouts that are known.
public enum QuantizedCheckpoint {
    /// Gathers the tensors that a quantized matrix is spread over into one, and forgets that they were
    /// several.
    ///
    /// `config.json` says which layout it is: `quantization_config.quant_method`, or MLX's `quantization`.
    /// A checkpoint that says neither comes back as it is.
    /// - Throws: `ModelError` naming the key or tensor that cannot be read, or a layout that is not known.
    public static func gathered(_ checkpoint: Checkpoint) throws -> Checkpoint {
        guard let configuration = try checkpoint.json("config.json") else { return checkpoint }
        guard let settings = configuration["quantization_config"] ?? configuration["quantization"],
            case .object = settings
        else { return checkpoint }
        let parts = TensorParts(checkpoint)
        guard let method = settings["quant_method"]?.string else {
            let layout = try MLXLayout(settings)
            return try checkpoint.gathering(layout.tensors(of: parts))
        }
        switch method {
        case "gptq": return try GPTQCheckpoint.gathered(checkpoint)
        case "awq": return try checkpoint.gathering(AWQLayout(settings).tensors(of: parts))
        case "compressed-tensors":
            return try checkpoint.gathering(CompressedTensors(settings).tensors(of: parts))
        default:
            throw ModelError(
                "config.json: 'quantization_config.quant_method' is '\(method.escapedForDisplay)', "
                    + "which is not supported; supported: awq, compressed-tensors, gptq, and MLX")
        }
    }
}

extension Checkpoint {
    /// The same model with other tensors and without a word on quantization.
    fileprivate func gathering(_ tensors: [any TensorSource]) throws -> Checkpoint {
        var result = self
        result.tensors = tensors
        if case .object(var members)? = try json("config.json") {
            members["quantization_config"] = nil
            members["quantization"] = nil
            result.documents["config.json"] = JSON.object(members).bytes(indentation: 2)
        }
        for name in ["quantize_config.json", "quantization_config.json"] {
            result.documents[name] = nil
        }
        return result
    }
}

/// The tensors of a checkpoint by name.
struct TensorParts {
    let all: [any TensorSource]
    private let byName: [ExactString: any TensorSource]

    init(_ checkpoint: Checkpoint) {
        all = checkpoint.tensors
        byName = Dictionary(
            uniqueKeysWithValues: checkpoint.tensors.map { (ExactString($0.descriptor.name), $0) })
    }

    subscript(_ name: String) -> (any TensorSource)? { byName[ExactString(name)] }

    /// A tensor that must be there, of one of some types and with so many dimensions.
    func required(
        _ name: String, _ types: [ScalarType], dimensions: Int = 2
    ) throws(ModelError) -> any TensorSource {
        guard let tensor = self[name] else {
            throw ModelError("tensor '\(name.escapedForDisplay)' is missing")
        }
        guard case .scalar(let type) = tensor.descriptor.encoding, types.contains(type),
            tensor.descriptor.shape.count == dimensions
        else {
            throw ModelError(
                "tensor '\(name.escapedForDisplay)' is \(tensor.descriptor.encoding) "
                    + "\(tensor.descriptor.shape), expected \(types.map(\.rawValue)) of "
                    + "\(dimensions) dimensions")
        }
        return tensor
    }

    /// The tensors, where those whose names end in `suffix` are replaced by what `gather` makes of the
    /// name before it, and those that end in one of `parts` are left out.
    func replacing(
        _ suffix: String, leavingOut parts: [String],
        _ gather: (_ base: String) throws -> any TensorSource
    ) throws -> [any TensorSource] {
        try all.compactMap { tensor in
            let name = tensor.descriptor.name
            if name.hasSuffix(suffix) { return try gather(String(name.dropLast(suffix.count))) }
            return parts.contains(where: name.hasSuffix) ? nil : tensor
        }
    }
}

/// A matrix that is put together from other tensors as it is read.
struct GatheredTensor: TensorSource {
    let descriptor: TensorDescriptor
    /// Fills whole rows of the matrix, in its encoding.
    private let fill:
        @Sendable (_ rows: Range<Int>, _ target: UnsafeMutableRawBufferPointer) throws -> Void

    /// - Throws: `ModelError` for a matrix whose size cannot be stated.
    init(
        base: String, rows: Int, columns: Int, encoding: Encoding,
        fill:
            @escaping @Sendable (
                _ rows: Range<Int>, _ target: UnsafeMutableRawBufferPointer
            ) throws -> Void
    ) throws(ModelError) {
        guard
            let descriptor = TensorDescriptor(
                name: "\(base).weight", shape: [rows, columns], encoding: encoding)
        else {
            throw ModelError(
                "tensor '\(base.escapedForDisplay)' of shape [\(rows), \(columns)] cannot be held as "
                    + "\(encoding)")
        }
        (self.descriptor, self.fill) = (descriptor, fill)
    }

    func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= descriptor.rows)
        let gathered = UnsafeMutableRawBufferPointer.allocate(
            byteCount: rows.count * descriptor.rowByteCount, alignment: 64)
        defer { gathered.deallocate() }
        try fill(rows, gathered)
        return try body(UnsafeRawBufferPointer(gathered))
    }
}
