import ByteIO
import Synchronization

/// The files that a writer fills: every tensor has its place before the first byte is written.
package final class ShardedOutput: Sendable {
    /// Where a tensor lies.
    package struct Place: Sendable {
        let file: Int
        /// Bytes from the start of the file.
        let offset: Int
        let byteCount: Int

        package init(file: Int, offset: Int, byteCount: Int) {
            self.file = file
            self.offset = offset
            self.byteCount = byteCount
        }
    }

    /// One file: its name, what stands before the tensors, and its whole size.
    package struct File: Sendable {
        package let path: String
        package let header: [UInt8]
        let byteCount: Int

        package init(path: String, header: [UInt8], byteCount: Int) {
            self.path = path
            self.header = header
            self.byteCount = byteCount
        }
    }

    private let files: [OutputFile]
    private let places: [Place]
    private let writtenByteCount = Atomic(0)

    /// Creates the files under temporary names and writes their headers.
    ///
    /// Each file is extended to its whole size at once: bytes that nobody writes, which are the
    /// padding, read as zeros, and a full disk is noticed before the work.
    package init(_ files: [File], places: [Place]) throws(SystemError) {
        self.places = places
        var outputs: [OutputFile] = []
        for file in files {
            let output = try OutputFile(path: file.path)
            try output.reserve(file.byteCount)
            try output.write(file.header, at: 0)
            if file.byteCount > file.header.count {
                try output.write([0], at: file.byteCount - 1)
            }
            outputs.append(output)
        }
        self.files = outputs
    }

    /// Stores part of a tensor; threads may call this at the same time.
    package func write(
        _ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int
    ) throws(SystemError) {
        let place = places[index]
        // Outside its place a write would silently change another tensor.
        precondition(offset >= 0 && offset <= place.byteCount)
        precondition(bytes.count <= place.byteCount - offset)
        try files[place.file].write(bytes, at: place.offset + offset)
        writtenByteCount.add(bytes.count, ordering: .relaxed)
    }

    /// Stores bytes of a file that belong to no tensor.
    package func write(_ bytes: [UInt8], file: Int, at offset: Int) throws(SystemError) {
        try files[file].write(bytes, at: offset)
    }

    /// Where the files are until `commit`.
    package var temporaryPaths: [String] { files.map(\.temporaryPath) }

    /// Gives all files their names, in order.
    package func commit() throws(SystemError) {
        // A forgotten tensor would be a model full of zeros that loads without a complaint.
        precondition(
            writtenByteCount.load(ordering: .relaxed) >= places.reduce(0) { $0 + $1.byteCount })
        for file in files { try file.commit() }
    }

    /// Cuts tensors into consecutive runs of at most `maximum` bytes, first come first served.
    ///
    /// A tensor that is larger than that has a run of its own. Without tensors there is one empty
    /// run, for a file must exist to carry the metadata.
    package static func runs(
        ofByteCounts byteCounts: [Int], maximum: Int?
    ) -> [Range<Int>] {
        guard let maximum else { return [byteCounts.indices] }
        var runs: [Range<Int>] = []
        var (start, size) = (0, 0)
        for (index, byteCount) in byteCounts.enumerated() {
            // Without a sum: two tensors of 2⁶² bytes must not trap.
            if index > start, size > maximum || byteCount > maximum - size {
                runs.append(start..<index)
                (start, size) = (index, 0)
            }
            size = byteCount > maximum ? byteCount : size + byteCount
        }
        return runs + [start..<byteCounts.count]
    }
}

/// A file as its writer would lay it out.
package struct WrittenLayout {
    /// All that stands before the tensors.
    package let header: [UInt8]
    /// Where each tensor starts, in bytes from the start of the file.
    package let offsets: [Int]
    package let byteCount: Int

    package init(header: [UInt8], offsets: [Int], byteCount: Int) {
        (self.header, self.offsets, self.byteCount) = (header, offsets, byteCount)
    }
}
