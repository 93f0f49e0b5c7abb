import Architectures
import ByteIO
import Inference
import Kernels
import ProgressReporting
import Synchronization

/// A reference that has run once: the hidden states that its layers ended with, in a file, and the model for
/// its last step.
///
/// Several models are then compared with it at the price of its output matrix. Nothing is rounded: the
/// figures are those that running it again would give, bit by bit. The file has four bytes for each token and
/// channel; it belongs to the machine that wrote it.
///
///     offset  size  field
///          0     8  "DTHIDDEN"
///          8    64  key: what the states are of, in hexadecimal
///         72     …  states: (tokens, channels), Float, little-endian, window after window
package struct KeptStates: Sendable {
    private let decoder: Decoder
    private let file: MappedFile
    private let channelCount: Int
    /// The row of a window's first token, by the window.
    private let rows: [[Int32]: Int]

    private static let magic = Array("DTHIDDEN".utf8)
    private static let headerByteCount = 72

    package static let phase = Phase("Running the reference", unit: "windows")

    /// Opens the states of some windows, after running the model where they are not there.
    ///
    /// - Parameters:
    ///   - path: of the file. It appears when it is complete.
    ///   - key: 64 characters that tell model and windows apart from others.
    ///   - decoder: the model.
    ///   - windows: the text.
    ///   - progress: hears of each window.
    /// - Throws: `SystemError`, and what running the model throws.
    init(
        path: String, key: String, decoder: Decoder, windows: [EvaluationWindow],
        progress: some ProgressSink
    ) throws {
        precondition(key.utf8.count == 64)
        self.decoder = decoder
        channelCount = decoder.description.hiddenSize
        var rows: [[Int32]: Int] = [:]
        var rowCount = 0
        for window in windows {
            rows[window.ids] = rowCount
            rowCount += window.ids.count
        }
        self.rows = rows
        let header = Self.magic + Array(key.utf8)
        let byteCount = header.count + rowCount * channelCount * MemoryLayout<Float>.stride
        if FileSystem.exists(path) {
            let file = try MappedFile(path: path)
            let isSame = file.withBytes { $0.count == byteCount && $0.starts(with: header) }
            if isSame {
                self.file = file
                return
            }
        }
        let output = try OutputFile(path: path)
        try output.reserve(byteCount)
        try output.write(header, at: 0)
        var offset = header.count
        let evaluator = try Evaluator(model: decoder, workers: Workers(threadCount: 1))
        try progress.phase(Self.phase, total: windows.count) {
            var start = 0
            // In the batches of an evaluation, so that sums have the same order as there.
            while start < windows.count {
                let end = evaluator.batchEnd(in: windows, from: start)
                let states = try decoder.hiddenStates(of: windows[start..<end].map(\.ids))
                let bytes = UnsafeRawBufferPointer(states.elements)
                try output.write(bytes, at: offset)
                offset += bytes.count
                progress.advance(Self.phase, by: end - start)
                start = end
            }
        }
        try output.commit()
        file = try MappedFile(path: path)
    }
}

extension KeptStates: LogitSource {
    package var vocabularySize: Int { decoder.vocabularySize }

    package func hiddenStates(of windows: [[Int32]]) throws -> Matrix {
        let count = windows.reduce(0) { $0 + $1.count }
        let states = Matrix(rows: count, columns: channelCount)
        var row = 0
        for window in windows {
            // The beginning of a window, by which noise is measured, was not kept.
            guard let place = rows[window] else { return try decoder.hiddenStates(of: windows) }
            let rowByteCount = channelCount * MemoryLayout<Float>.stride
            let start = Self.headerByteCount + place * rowByteCount
            file.withBytes { bytes in
                UnsafeMutableRawBufferPointer(states.rows(row..<row + window.count)).copyMemory(
                    from: UnsafeRawBufferPointer(
                        rebasing: bytes[start..<start + window.count * rowByteCount]))
            }
            row += window.count
        }
        return states
    }

    package func logits(
        of hidden: Matrix, rows: [Int], into logits: UnsafeMutableBufferPointer<Float>
    ) throws {
        try decoder.logits(of: hidden, rows: rows, into: logits)
    }
}

extension EvaluationPlan {
    /// Runs a reference once, for several models to be compared with, or takes up what an earlier run left.
    ///
    /// - Parameters:
    ///   - reference: the model.
    ///   - ids: the text, as `evaluate` takes it.
    ///   - beginningOfText: likewise.
    ///   - path: where to keep what its layers ended with.
    ///   - key: 64 characters that tell model and text apart from others.
    ///   - progress: hears of each window.
    /// - Returns: the reference, for `evaluate`.
    /// - Throws: `SystemError`, and what `evaluate` throws.
    package func keep(
        _ reference: LanguageModel, ids: [Int32], beginningOfText: Int32?, path: String,
        key: String,
        progress: some ProgressSink
    ) throws -> KeptStates {
        let workers = Workers(threadCount: threadCount)
        return try KeptStates(
            path: path, key: key,
            decoder: Decoder(
                reference, positionCount: convention.context, workers: workers,
                precision: precision),
            windows: convention.windows(
                of: ids, beginningOfText: beginningOfText, limit: windowLimit),
            progress: progress)
    }

    /// As `evaluate`, against a reference that has run before.
    package func evaluate(
        _ model: LanguageModel, against reference: KeptStates, ids: [Int32],
        beginningOfText: Int32?, progress: some ProgressSink
    ) throws -> EvaluationResult {
        let windows = try convention.windows(
            of: ids, beginningOfText: beginningOfText, limit: windowLimit)
        let workers = Workers(threadCount: threadCount)
        let decoder = try Decoder(
            model, positionCount: convention.context, workers: workers, precision: precision)
        return try Evaluator(model: decoder, reference: reference, workers: workers)
            .evaluate(windows, convention: convention, progress: progress)
    }
}

extension KeptStates: RepeatableLogitSource {
    package func hiddenStatesAgain(of window: [Int32]) throws -> Matrix {
        try decoder.hiddenStatesAgain(of: window)
    }
}
