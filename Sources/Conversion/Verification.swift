import ByteIO
import DTZFormat
import Kernels
import ProgressReporting
import Synchronization
import TensorIR

/// What was found when every byte of a model was read.
public struct Verification: Sendable {
    /// What is in the file, without what is damaged.
    public let checkpoint: Checkpoint
    /// The SHA-256 of all tensors in hexadecimal, the same for the same tensors in a file of any format;
    /// nil where one of them is damaged, or digests are left out.
    public let contentDigest: String?
    /// What is not as it should be, by tensor or section; empty for a file without damage.
    public let damage: [String]

    /// Reads all of a model, and holds it against every digest that the file states.
    ///
    /// safetensors and GGUF files state none: of these the structure is checked, and the digest taken.
    ///
    /// - Parameters:
    ///   - path: what `ModelFile.open` takes.
    ///   - base: as for `ModelFile.container`.
    ///   - isSalvaged: whether a DTZ file is read as far as it goes that has lost its end, or a section.
    ///   - isQuick: whether digests are left out, and only the checksums of a DTZ file's chunks are checked.
    ///   - threadCount: two unless it says otherwise.
    ///   - progress: told of bytes.
    /// - Throws: what opening the file throws.
    public init(
        _ path: String, base: String? = nil, isSalvaged: Bool = false, isQuick: Bool = false,
        threadCount: Int? = nil, progress: some ProgressSink = SilentProgress()
    ) throws {
        let workers = Workers(threadCount: threadCount ?? 2)
        let file =
            FileSystem.isFolder(path)
            ? nil : try ModelFile.dtz(path, base: base, isSalvaged: isSalvaged)
        guard let file else {
            checkpoint = try ModelFile.container(path)
            contentDigest =
                isQuick ? nil : try checkpoint.contentTensorDigest(workers, progress)
            damage = []
            return
        }
        var damage: [String] = []
        var checkpoint: Checkpoint
        do {
            checkpoint = try file.checkpoint()
        } catch let error as FormatError where isSalvaged {
            let salvaged = file.salvagedCheckpoint()
            checkpoint = salvaged.checkpoint
            damage += salvaged.damage.isEmpty ? [error.description] : salvaged.damage
        }
        let found =
            isQuick
            ? try file.verifyChunks(workers, progress: progress)
            : try file.verify(workers, progress: progress)
        damage += found.damage
        if !found.damagedTensors.isEmpty || isSalvaged && file.isIncomplete {
            checkpoint.originals = []
        }
        checkpoint.tensors = checkpoint.tensors.enumerated().compactMap { number, tensor in
            found.damagedTensors.contains(number) ? nil : tensor
        }
        self.checkpoint = checkpoint
        contentDigest = found.contentDigest
        self.damage = damage
    }
}

extension Checkpoint {
    fileprivate func contentTensorDigest(
        _ workers: Workers, _ progress: some ProgressSink
    ) throws -> String {
        let total = tensors.reduce(0) { $0 &+ $1.descriptor.byteCount }
        let phase = Phase("Verifying", unit: "bytes")
        return try progress.phase(phase, total: total) {
            ContentDigest.hexadecimal(
                try tensorDigest(workers) { progress.advance(phase, by: $0) })
        }
    }
}
