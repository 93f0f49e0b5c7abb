import ByteIO
import Kernels
import ProgressReporting
import TensorIR

extension DTZFile {
    /// What reading every chunk has shown.
    package struct Findings: Sendable {
        package var damagedTensors: Set<Int> = []
        /// One line for each thing that is damaged, and the chunks of it.
        package var damage: [String] = []
        /// Of all tensors, in hexadecimal; nil where one is damaged.
        package var contentDigest: String?
    }

    /// Whether the index is lost, and with it the digests.
    package var isIncomplete: Bool { index == nil }

    /// Decodes every chunk and holds it against its frame's checksum, its own, the tensor's digest and the
    /// whole content's.
    ///
    /// - Throws: what is not the file's fault, such as a base that cannot be read.
    package func verify(
        _ workers: Workers, progress: some ProgressSink
    ) throws -> Findings {
        let descriptors = directory.tensors
        let results = Slots<Result<[UInt8], FormatError>>(count: descriptors.count)
        let total = descriptors.reduce(0) { $0 &+ $1.byteCount }
        let phase = Phase("Verifying", unit: "bytes")
        try progress.phase(phase, total: total) {
            try workers.forEach(descriptors.count) { number in
                do {
                    let digest = try self.digest(of: number) { progress.advance(phase, by: $0) }
                    results[number] = .success(digest)
                } catch let error as FormatError {
                    results[number] = .failure(error)
                }
            }
        }
        var findings = Findings()
        var digests: [(TensorDescriptor, [UInt8])] = []
        for (number, descriptor) in descriptors.enumerated() {
            switch results[number] {
            case .success(let digest): digests.append((descriptor, digest))
            case .failure(let error):
                findings.damagedTensors.insert(number)
                findings.damage.append(error.description)
            case nil: break
            }
        }
        guard findings.damagedTensors.isEmpty else { return findings }
        let digest = ContentDigest.ofTensors(digests)
        findings.contentDigest = ContentDigest.hexadecimal(digest)
        if let index, index.contentDigest != digest {
            findings.damage.append("index: its digest of the whole content does not match")
        }
        if index == nil { findings.damage.append("index: is lost, and all digests with it") }
        return findings
    }

    /// Decodes every chunk and holds it against its checksum, and nothing against a digest.
    ///
    /// - Throws: what is not the file's fault.
    package func verifyChunks(
        _ workers: Workers, progress: some ProgressSink
    ) throws -> Findings {
        let chunks = directory.tensors.enumerated().flatMap { tensor, descriptor in
            (0..<directory.chunkCount(of: descriptor)).map { (tensor: tensor, chunk: $0) }
        }
        let failures = Slots<FormatError>(count: chunks.count)
        let total = directory.tensors.reduce(0) { $0 &+ $1.byteCount }
        let phase = Phase("Verifying", unit: "bytes")
        try progress.phase(phase, total: total) {
            try workers.forEach(chunks.count) { number in
                let (tensor, chunk) = chunks[number]
                do {
                    try DTZTensor(number: tensor, of: self).withPiece(chunk) { bytes, _ in
                        progress.advance(phase, by: bytes.count)
                    }
                } catch let error as FormatError {
                    failures[number] = error
                }
            }
        }
        var findings = Findings()
        for (number, (tensor, _)) in chunks.enumerated() {
            guard let failure = failures[number] else { continue }
            findings.damagedTensors.insert(tensor)
            findings.damage.append(failure.description)
        }
        return findings
    }

    private func digest(of tensor: Int, _ progress: (Int) -> Void) throws -> [UInt8] {
        var stream = ContentDigest.Stream()
        let descriptor = directory.tensors[tensor]
        let size = directory.chunkByteCount(of: descriptor)
        for chunk in 0..<directory.chunkCount(of: descriptor) {
            let count = min(size, descriptor.byteCount - chunk * size)
            // What a truncated file has lost must not be asked for memory first.
            guard chunk < chunkRanges[tensor].count else { throw lost(chunk: chunk, of: tensor) }
            let buffer = Buffer(byteCount: count)
            try decode(chunk: chunk, of: tensor, into: buffer.bytes, checksFrame: true)
            stream.update(UnsafeRawBufferPointer(buffer.bytes))
            progress(count)
        }
        let digest = stream.finish()
        if let index, index.tensors[tensor].digest != digest {
            throw FormatError(
                .inconsistent, in: "tensor '\(descriptor.name.escapedForDisplay)'", at: 0,
                "its SHA-256 does not match", path: file.path)
        }
        return digest
    }

    /// The file as a model, without the sections that cannot be read.
    package func salvagedCheckpoint() -> (checkpoint: Checkpoint, damage: [String]) {
        var damage: [String] = []
        var checkpoint = emptyCheckpoint
        for number in directory.sections.indices {
            do throws(FormatError) {
                try add(section: number, to: &checkpoint)
            } catch {
                damage.append(error.inFile(file.path).description)
            }
        }
        checkpoint.originals = []
        return (checkpoint, damage)
    }
}
