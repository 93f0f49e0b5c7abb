import Architectures
import ArgumentParser
import ByteIO
import Conversion
import Inference
import Kernels
import ProgressReporting
import SafetensorsFormat
import TensorIR

struct LogitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits",
        abstract: "Run token ids through a model and write its logits.",
        usage: "detent logits [<options>] <model> --input-ids <file> --output <file>",
        discussion: """
            Reads the I64 tensor 'input_ids' (batch, sequence) of a safetensors file and \
            writes the F32 tensor 'logits' (batch, sequence, vocabulary).

              detent logits SmolLM2-135M --input-ids ids.safetensors -o logits.safetensors
            """)

    @Argument(help: "The model to run.", completion: .file()) var model: String

    @Option(
        help: ArgumentHelp("A safetensors file with the token ids.", valueName: "file"),
        completion: .file())
    var inputIds: String

    @Option(
        name: .shortAndLong, help: ArgumentHelp("The file to create.", valueName: "file"),
        completion: .file())
    var output: String

    @OptionGroup var work: WorkOptions

    private static let phase = Phase("Running", unit: "sequences")

    func run() throws {
        guard !FileSystem.isSameFile(inputIds, output) else {
            throw UsageError(
                "the output '\(output.escapedForDisplay)' is the input; name another file")
        }
        let sequences = try TokenSequences(path: inputIds)
        let model = try LanguageModel(ModelFile.open(model))
        let decoder = try Decoder(
            model, positionCount: sequences.length, workers: work.workers)
        let shape = [sequences.ids.count, sequences.length, decoder.description.vocabularySize]
        guard
            let descriptor = TensorDescriptor(
                name: "logits", shape: shape, encoding: .scalar(.f32))
        else { throw ModelError("logits of shape \(shape) are too large for a file") }
        let writer = try SafetensorsWriter(path: output, descriptors: [descriptor])
        let progress = work.progress
        try progress.phase(Self.phase, total: sequences.ids.count) {
            for (index, ids) in sequences.ids.enumerated() {
                try write(ids, sequence: index, decoder, to: writer, descriptor)
                progress.advance(Self.phase, by: 1)
            }
        }
        try writer.finish()
    }

    /// Runs one sequence and writes its logits, a tile of positions at a time.
    private func write(
        _ ids: [Int32], sequence: Int, _ decoder: Decoder, to sink: some TensorSink,
        _ descriptor: TensorDescriptor
    ) throws {
        let hidden = try decoder.hiddenStates(of: TokenBatch([ids]))
        let tile = min(ids.count, max(1, (1 << 24) / max(1, descriptor.columns)))
        let logits = Matrix(rows: tile, columns: descriptor.columns)
        for start in stride(from: 0, to: ids.count, by: tile) {
            let rows = Array(start..<min(start + tile, ids.count))
            let elements = logits.rows(0..<rows.count)
            try decoder.logits(of: hidden, rows: rows, into: elements)
            try sink.write(
                UnsafeRawBufferPointer(elements), tensor: 0,
                at: (sequence * ids.count + start) * descriptor.rowByteCount)
        }
    }
}

/// Token ids of sequences that all have the same length.
private struct TokenSequences {
    let ids: [[Int32]]
    let length: Int

    /// - Throws: `FormatError` where the file has no such tensor, or it holds no token ids.
    init(path: String) throws {
        func failure(_ detail: String) -> FormatError {
            FormatError(.inconsistent, in: "tensor 'input_ids'", at: 0, detail, path: path)
        }
        let file = try SafetensorsFile(path: path)
        guard let tensor = file.tensors.first(where: { $0.descriptor.name == "input_ids" }) else {
            throw failure("is missing")
        }
        let descriptor = tensor.descriptor
        guard descriptor.encoding == .scalar(.i64), descriptor.shape.count == 2,
            descriptor.count > 0
        else {
            throw failure(
                "is \(descriptor.encoding) of shape \(descriptor.shape), not I64 (batch, sequence)")
        }
        length = descriptor.columns
        ids = try (0..<descriptor.rows).map { row in
            try tensor.withBytes(rows: row..<row + 1) { bytes in
                try stride(from: 0, to: bytes.count, by: 8).map { offset in
                    let value = Int64(
                        littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
                    guard let id = Int32(exactly: value) else { throw failure("holds \(value)") }
                    return id
                }
            }
        }
    }
}
