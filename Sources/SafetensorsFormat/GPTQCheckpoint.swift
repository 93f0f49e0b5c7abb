import ByteIO
import OrderedCollections
import Synchronization
import TensorIR

/// Checkpoints whose `config.json` says `"quant_method": "gptq"`.
public enum GPTQCheckpoint {
    /// The members of `quantization_config`, which is also the whole of `quantize_config.json`.
    public static func configuration(
        _ encoding: GroupedAffine, dampingFraction: Float
    ) -> JSON {
        [
            "quant_method": "gptq", "bits": .integer(encoding.bits),
            "group_size": .integer(encoding.groupSize),
            "sym": .bool(encoding.offset == .symmetric), "desc_act": false,
            "checkpoint_format": "gptq", "lm_head": false,
            "damp_percent": .number(Double("\(dampingFraction)") ?? 0.01),
        ]
    }

    /// Gathers the four tensors of each quantized layer into one, and forgets that they were four.
    ///
    /// A checkpoint that is not GPTQ's comes back as it is.
    /// - Throws: `ModelError` naming the key or tensor that cannot be read as GPTQ's.
    public static func gathered(_ checkpoint: Checkpoint) throws -> Checkpoint {
        guard case .object(var members)? = try checkpoint.json("config.json"),
            let settings = members["quantization_config"],
            settings["quant_method"]?.string == "gptq"
        else { return checkpoint }
        guard let bits = settings["bits"]?.integer, [2, 3, 4, 8].contains(bits) else {
            throw ModelError("config.json: 'quantization_config.bits' must be 2, 3, 4 or 8")
        }
        let version = settings["checkpoint_format"]?.string ?? "gptq"
        guard version == "gptq" else {
            throw ModelError(
                "config.json: 'quantization_config.checkpoint_format' is "
                    + "'\(version.escapedForDisplay)', which is not supported; supported: gptq")
        }
        let groupSize = settings["group_size"]?.integer ?? 128
        var tensors: [any TensorSource] = []
        let byName = Dictionary(
            uniqueKeysWithValues: checkpoint.tensors.map {
                (ExactString($0.descriptor.name), $0)
            })
        for tensor in checkpoint.tensors {
            let name = tensor.descriptor.name
            guard let part = name.split(separator: ".").last,
                ["qweight", "qzeros", "scales", "g_idx"].contains(part)
            else {
                tensors.append(tensor)
                continue
            }
            guard part == "qweight" else { continue }
            let base = String(name.dropLast(".qweight".count))
            tensors.append(
                try GPTQTensor(base: base, tensors: byName, bits: bits, groupSize: groupSize))
        }
        members["quantization_config"] = nil
        var result = checkpoint
        result.tensors = tensors
        result.documents["config.json"] = JSON.object(members).bytes(indentation: 2)
        for name in ["quantize_config.json", "quantization_config.json"] {
            result.documents[name] = nil
        }
        return result
    }
}

/// A matrix gathered from GPTQ's four tensors as it is read.
struct GPTQTensor: TensorSource {
    let descriptor: TensorDescriptor
    private let layout: GPTQLayout
    private let codes: any TensorSource
    private let zeros: any TensorSource
    private let scales: any TensorSource

    init(
        base: String, tensors: [ExactString: any TensorSource], bits: Int, groupSize: Int
    ) throws {
        func part(_ name: String) throws(ModelError) -> any TensorSource {
            guard let tensor = tensors["\(base).\(name)"] else {
                throw ModelError("tensor '\(base).\(name)' is missing".escapedForDisplay)
            }
            return tensor
        }
        (codes, zeros, scales) = (try part("qweight"), try part("qzeros"), try part("scales"))
        let shape = codes.descriptor.shape
        guard shape.count == 2, shape[0] <= 1 << 30, shape[1] <= 1 << 30,
            shape[0] * 32 % bits == 0
        else { throw ModelError("tensor '\(base).qweight' has shape \(shape)".escapedForDisplay) }
        let (rows, columns) = (shape[1], shape[0] * 32 / bits)
        guard groupSize == -1 || (1...1 << 24).contains(groupSize), columns > 0 else {
            throw ModelError("config.json: 'quantization_config.group_size' is \(groupSize)")
        }
        let encoding = GroupedAffine(
            bits: bits, groupSize: groupSize == -1 ? columns : groupSize, offset: .zeroPoint)
        layout = try GPTQLayout(encoding, rows: rows, columns: columns, name: base)
        for (expected, tensor) in zip(
            layout.descriptors(base: base), [codes, zeros, scales])
        where tensor.descriptor != expected {
            throw ModelError(
                "tensor '\(expected.name.escapedForDisplay)' is \(tensor.descriptor.encoding) "
                    + "\(tensor.descriptor.shape), expected \(expected.encoding) \(expected.shape)")
        }
        if let groups = tensors["\(base).g_idx"] {
            try GPTQTensor.checkOrder(groups, columns: columns, groupSize: encoding.groupSize)
        }
        guard
            let descriptor = TensorDescriptor(
                name: "\(base).weight", shape: [rows, columns], encoding: .grouped(encoding))
        else { throw ModelError("tensor '\(base)' is too large".escapedForDisplay) }
        self.descriptor = descriptor
    }

    /// Groups of columns that are not neighbours (`desc_act`) have no place in the IR's rows.
    private static func checkOrder(
        _ groups: any TensorSource, columns: Int, groupSize: Int
    ) throws {
        let name = groups.descriptor.name.escapedForDisplay
        guard groups.descriptor.encoding == .scalar(.i32), groups.descriptor.shape == [columns]
        else { throw ModelError("tensor '\(name)' must be I32 [\(columns)]") }
        let isInOrder = try groups.withBytes(rows: 0..<1) { bytes in
            (0..<columns).allSatisfy { column in
                let group = bytes.loadUnaligned(fromByteOffset: column * 4, as: UInt32.self)
                return Int(UInt32(littleEndian: group)) == column / groupSize
            }
        }
        guard isInOrder else {
            throw ModelError(
                "tensor '\(name)' orders columns by activation (desc_act), which is not supported")
        }
    }

    func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let gathered = UnsafeMutableRawBufferPointer.allocate(
            byteCount: rows.count * descriptor.rowByteCount, alignment: 64)
        defer { gathered.deallocate() }
        try codes.withBytes(rows: 0..<codes.descriptor.rows) { codes in
            try zeros.withBytes(rows: 0..<zeros.descriptor.rows) { zeros in
                try scales.withBytes(rows: 0..<scales.descriptor.rows) { scales in
                    for (index, row) in rows.enumerated() {
                        let start = index * descriptor.rowByteCount
                        layout.gather(
                            row: row, codes: codes, zeros: zeros, scales: scales,
                            into: UnsafeMutableRawBufferPointer(
                                rebasing: gathered[start..<start + descriptor.rowByteCount]))
                    }
                }
            }
        }
        return try body(UnsafeRawBufferPointer(gathered))
    }
}

/// Writes grouped matrices as GPTQ's four tensors, and everything else as it comes.
public final class GPTQWriter: TensorSink {
    private let writer: SafetensorsWriter
    private let places: [Place]
    /// Grouped matrices of which some parts have come.
    private let unfinished = Mutex<[Int: Unfinished]>([:])
    public var paths: [String] { writer.paths }
    /// Where the files are until `finish()`.
    package var temporaryPaths: [String] { writer.temporaryPaths }

    private struct Unfinished {
        var bytes: [UInt8]
        var missingByteCount: Int

        init(byteCount: Int) {
            bytes = [UInt8](repeating: 0, count: byteCount)
            missingByteCount = byteCount
        }

        /// - Returns: whether that was the last part.
        mutating func add(_ part: UnsafeRawBufferPointer, at offset: Int) -> Bool {
            bytes.replaceSubrange(offset..<offset + part.count, with: part)
            missingByteCount -= part.count
            return missingByteCount == 0
        }
    }

    private enum Place {
        case plain(Int)
        /// The layout and the number of the first of four tensors.
        case grouped(GPTQLayout, Int)
    }

    /// As `SafetensorsWriter`'s; grouped descriptors end in `.weight`.
    public init(
        path: String, descriptors: [TensorDescriptor], metadata: Metadata,
        maximumShardByteCount: Int?
    ) throws {
        var written: [TensorDescriptor] = []
        var places: [Place] = []
        for descriptor in descriptors {
            guard case .grouped(let encoding) = descriptor.encoding else {
                places.append(.plain(written.count))
                written.append(descriptor)
                continue
            }
            let layout = try GPTQLayout(
                encoding, rows: descriptor.rows, columns: descriptor.columns, name: descriptor.name)
            places.append(.grouped(layout, written.count))
            written += layout.descriptors(base: String(descriptor.name.dropLast(".weight".count)))
        }
        self.places = places
        writer = try SafetensorsWriter(
            path: path, descriptors: written, metadata: metadata,
            maximumShardByteCount: maximumShardByteCount)
    }

    /// Parts of a grouped matrix are kept until they are all there, for its columns lie across them.
    public func write(_ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int) throws {
        switch places[index] {
        case .plain(let number): try writer.write(bytes, tensor: number, at: offset)
        case .grouped(let layout, let first):
            guard bytes.count < layout.byteCount else { return try write(bytes, layout, first) }
            let whole = unfinished.withLock { unfinished in
                unfinished[index, default: Unfinished(byteCount: layout.byteCount)]
                    .add(bytes, at: offset) ? unfinished.removeValue(forKey: index) : nil
            }
            try whole?.bytes.withUnsafeBytes { try write($0, layout, first) }
        }
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer, _ layout: GPTQLayout, _ first: Int
    ) throws {
        for (number, part) in layout.scatter(bytes).enumerated() {
            try part.withUnsafeBytes { try writer.write($0, tensor: first + number, at: 0) }
        }
    }

    public func finish() throws { try writer.finish() }
}
