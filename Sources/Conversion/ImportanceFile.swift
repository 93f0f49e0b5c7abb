import ByteIO
import GGUFFormat
import Quantization
import TensorIR

/// Importance matrices as files, in either of llama.cpp's forms.
public enum ImportanceFile {
    /// Reads a file; its first bytes say which form it has.
    ///
    /// - Throws: `SystemError` for what cannot be read, `FormatError` naming file and entry.
    public static func read(_ path: String) throws -> ImportanceMatrix {
        let file = try MappedFile(path: path)
        guard !file.withBytes(GGUFFile.looksLike) else {
            return try ImportanceMatrix(GGUFCheckpoint.open(path: path))
        }
        do throws(FormatError) {
            return try file.withBytes { bytes throws(FormatError) in
                try ImportanceMatrix(legacy: bytes)
            }
        } catch {
            throw error.inFile(path)
        }
    }

    /// Writes a file: of the older form where the name ends in `.dat`, otherwise GGUF.
    ///
    /// - Throws: `SystemError` when the file cannot be written; nothing is left under its name then.
    public static func write(_ matrix: ImportanceMatrix, to path: String) throws {
        guard !path.lowercased().hasSuffix(".dat") else {
            let file = try OutputFile(path: path)
            try file.write(matrix.legacyBytes(), at: 0)
            return try file.commit()
        }
        let checkpoint = matrix.checkpoint(path: path)
        let writer = try GGUFWriter(
            path: path, metadata: checkpoint.metadata,
            descriptors: checkpoint.tensors.map(\.descriptor))
        for (index, tensor) in checkpoint.tensors.enumerated() {
            try tensor.withBytes(rows: 0..<tensor.descriptor.rows) {
                try writer.write($0, tensor: index, at: 0)
            }
        }
        try writer.finish()
    }
}
