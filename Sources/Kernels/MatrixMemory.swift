import ByteIO
import Dispatch
import Synchronization

/// Where matrices of activations lie: in memory as long as they fit a limit, beyond it in temporary files
/// that are mapped.
package final class MatrixMemory: Sendable {
    /// All in memory.
    package static let unlimited = MatrixMemory(byteLimit: .max, folder: ".")

    private let byteLimit: Int
    private let folder: String
    private let used = Mutex(0)

    /// - Parameters:
    ///   - byteLimit: bytes of matrices that may lie in memory at a time.
    ///   - folder: where files may be made.
    package init(byteLimit: Int, folder: String) {
        (self.byteLimit, self.folder) = (byteLimit, folder)
    }

    /// Makes a matrix of zeros.
    ///
    /// - Parameters:
    ///   - rows: at least 0.
    ///   - columns: at least 0.
    /// - Returns: (rows, columns).
    /// - Throws: `SystemError` where the folder has no room for what memory may not hold.
    package func matrix(rows: Int, columns: Int) throws(SystemError) -> Matrix {
        let byteCount = rows * columns * MemoryLayout<Float>.stride
        let fits = used.withLock { used in
            guard byteCount <= byteLimit - used else { return false }
            used += byteCount
            return true
        }
        guard fits else {
            let file = try SpilledElements(byteCount: byteCount, folder: folder)
            return Matrix(
                rows: rows, columns: columns, file.mapping.bytes.bindMemory(to: Float.self),
                of: file)
        }
        let lease = Lease(of: byteCount, from: self, matrix: Matrix(rows: rows, columns: columns))
        return Matrix(rows: rows, columns: columns, lease.matrix.elements, of: lease)
    }

    /// A part of the limit, for as long as a matrix lives.
    private final class Lease {
        let matrix: Matrix
        private let byteCount: Int
        private let memory: MatrixMemory

        init(of byteCount: Int, from memory: MatrixMemory, matrix: Matrix) {
            (self.byteCount, self.memory, self.matrix) = (byteCount, memory, matrix)
        }

        deinit { memory.used.withLock { $0 -= byteCount } }
    }
}

/// Elements in a file, of which the process has mapped what it used last.
///
/// All pages are let go of many times a second. What is in use comes back at once; the rest is the system's
/// to keep or to write out.
private final class SpilledElements {
    let mapping: TemporaryMapping
    private let timer: any DispatchSourceTimer

    init(byteCount: Int, folder: String) throws(SystemError) {
        let mapping = try TemporaryMapping(byteCount: byteCount, folder: folder)
        self.mapping = mapping
        timer = DispatchSource.makeTimerSource()
        timer.setEventHandler { mapping.release() }
        timer.schedule(deadline: .now(), repeating: .milliseconds(20), leeway: .milliseconds(5))
        timer.activate()
    }

    deinit { timer.cancel() }
}
