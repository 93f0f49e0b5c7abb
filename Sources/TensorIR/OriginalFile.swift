import ByteIO

/// A file as it was before its tensors moved elsewhere: all that is needed to make it again, byte for
/// byte.
public struct OriginalFile: Sendable, Hashable {
    /// Where one tensor stood.
    public struct Place: Sendable, Hashable {
        /// The tensor's number in the checkpoint.
        public let tensor: Int
        /// Bytes from the start of the file.
        public let offset: Int

        public init(tensor: Int, offset: Int) {
            (self.tensor, self.offset) = (tensor, offset)
        }
    }

    /// The name without a folder.
    public let name: String
    public let byteCount: Int
    /// In ascending order of offsets; no two tensors overlap.
    public let places: [Place]
    /// All bytes of the file that belong to no tensor, in their order: header, padding.
    public let remainder: [UInt8]

    /// - Precondition: places ascend, and the remainder fills what the tensors leave.
    public init(name: String, byteCount: Int, places: [Place], remainder: [UInt8]) {
        self.name = name
        self.byteCount = byteCount
        self.places = places
        self.remainder = remainder
    }

    /// What lies between the tensors, with its place in the file.
    /// - Parameter byteCounts: of the checkpoint's tensors.
    /// - Returns: the gaps in ascending order.
    package func gaps(byteCounts: [Int]) -> [(offset: Int, bytes: ArraySlice<UInt8>)] {
        var gaps: [(Int, ArraySlice<UInt8>)] = []
        var (cursor, taken) = (0, 0)
        func add(upTo end: Int) {
            guard end > cursor else { return }
            gaps.append((cursor, remainder[taken..<taken + end - cursor]))
            taken += end - cursor
        }
        for place in places {
            add(upTo: place.offset)
            cursor = place.offset + byteCounts[place.tensor]
        }
        add(upTo: byteCount)
        return gaps
    }
}

extension Checkpoint {
    /// The files of a checkpoint whose tensors are mapped, taken apart; nil where tensors are none of a
    /// file's own bytes.
    package func takenApart() -> [OriginalFile]? {
        var places: [String: [OriginalFile.Place]] = [:]
        var mapped: [String: MappedFile] = [:]
        for (number, tensor) in tensors.enumerated() {
            guard let tensor = tensor as? MappedTensor else { return nil }
            mapped[tensor.file.path] = tensor.file
            places[tensor.file.path, default: []].append(
                OriginalFile.Place(tensor: number, offset: tensor.offset))
        }
        guard Set(mapped.keys).isSubset(of: files) else { return nil }
        return files.compactMap { path in
            guard let file = mapped[path] else { return nil }
            // Tensors without bytes may share an offset with the one behind them.
            let sorted = (places[path] ?? []).sorted {
                ($0.offset, tensors[$0.tensor].descriptor.byteCount, $0.tensor)
                    < ($1.offset, tensors[$1.tensor].descriptor.byteCount, $1.tensor)
            }
            var remainder: [UInt8] = []
            var cursor = 0
            file.withBytes { bytes in
                for place in sorted {
                    remainder += bytes[cursor..<place.offset]
                    cursor = place.offset + tensors[place.tensor].descriptor.byteCount
                }
                remainder += bytes[cursor...]
            }
            return OriginalFile(
                name: splitPath(path).name, byteCount: file.bytes.count, places: sorted,
                remainder: remainder)
        }
    }
}

/// Makes files again from tensors that arrive in any order.
public final class OriginalFileWriter: TensorSink {
    private let output: ShardedOutput
    /// The files that `finish()` makes.
    public let paths: [String]

    /// Lays the files out under temporary names, all but the tensors written.
    ///
    /// - Parameters:
    ///   - files: with the path that each shall have; together they hold every tensor once.
    ///   - byteCounts: of the tensors.
    /// - Throws: `SystemError` when files cannot be created.
    public init(_ files: [(path: String, file: OriginalFile)], byteCounts: [Int]) throws {
        var places = byteCounts.map { ShardedOutput.Place(file: 0, offset: 0, byteCount: $0) }
        for (number, (_, file)) in files.enumerated() {
            for place in file.places {
                places[place.tensor] = ShardedOutput.Place(
                    file: number, offset: place.offset, byteCount: byteCounts[place.tensor])
            }
        }
        paths = files.map(\.path)
        output = try ShardedOutput(
            files.map {
                ShardedOutput.File(path: $0.path, header: [], byteCount: $0.file.byteCount)
            }, places: places)
        for (number, (_, file)) in files.enumerated() {
            for gap in file.gaps(byteCounts: byteCounts) {
                try output.write([UInt8](gap.bytes), file: number, at: gap.offset)
            }
        }
    }

    public func write(_ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int) throws {
        try output.write(bytes, tensor: index, at: offset)
    }

    public func finish() throws { try output.commit() }
}
