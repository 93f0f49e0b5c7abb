import ByteIO
import Kernels
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Writes a model's log-probabilities as llama.cpp does, row by row as they are predicted.
package final class LogitDumpWriter: RowRecorder {
    private let file: OutputFile
    private let vocabularySize: Int
    private var offset: Int

    /// Creates the file under a temporary name and writes what stands before the rows.
    ///
    /// - Parameters:
    ///   - path: where the file appears with `finish`.
    ///   - windows: tokens as the text gives them, without a BOS in place of the first; all of one length.
    ///   - vocabularySize: of the model.
    /// - Throws: `SystemError` when the file cannot be written.
    package init(path: String, windows: [[Int32]], vocabularySize: Int) throws(SystemError) {
        file = try OutputFile(path: path)
        self.vocabularySize = vocabularySize
        let context = windows.first?.count ?? 0
        var bytes = LogitDump.magic
        for number in [context, vocabularySize, windows.count].map(Int32.init)
            + windows.joined()
        { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
        try file.write(bytes, at: 0)
        offset = bytes.count
    }

    package func record(
        _ logits: Matrix, ids: [Int], on workers: Workers
    ) throws(SystemError) {
        let size = LogitDump.rowByteCount(vocabularySize: vocabularySize)
        let bytes = Mutex([UInt8](repeating: 0, count: size * ids.count))
        workers.forEach(ids.count) { index in
            let row = Self.row(UnsafeBufferPointer(logits.row(index)), byteCount: size)
            bytes.withLock { $0.replaceSubrange(index * size..<(index + 1) * size, with: row) }
        }
        try file.write(bytes.withLock { $0 }, at: offset)
        offset += size * ids.count
    }

    /// Gives the file its name.
    package func finish() throws(SystemError) { try file.commit() }

    private static func row(_ logits: UnsafeBufferPointer<Float>, byteCount: Int) -> [UInt8] {
        let total = RowFunctions.logSumExp(logits)
        let maximum = RowFunctions.maximum(logits)
        let least = max(logits.min() ?? maximum, maximum - LogitDump.range)
        let scale = (maximum - least) / 65535
        var row: [UInt8] = []
        row.reserveCapacity(byteCount)
        for number in [scale, Float(Double(least) - total)] {
            withUnsafeBytes(of: number.bitPattern.littleEndian) { row += $0 }
        }
        for logit in logits {
            let code = scale > 0 ? ((logit - least) / scale).rounded() : 0
            // What is no number ends the evaluation where it is scored.
            let number = code > 0 ? UInt16(min(65535, code)) : 0
            withUnsafeBytes(of: number.littleEndian) { row += $0 }
        }
        while row.count < byteCount { row.append(0) }
        return row
    }
}
