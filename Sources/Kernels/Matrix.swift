#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A row-major matrix of `Float` in memory that threads share.
///
/// A class on purpose: matrices of activations are hundreds of megabytes, and a copy that nobody
/// asked for must be impossible. Who writes which rows is for the caller to divide.
package final class Matrix: @unchecked Sendable {
    package let rows: Int
    package let columns: Int
    /// A page of the processor's next larger size, in bytes: a strided walk through a matrix of many ordinary
    /// pages finds few of them in the processor's table.
    fileprivate static let hugePage = 1 << 21
    /// (rows, columns), row-major, aligned to a cache line.
    package let elements: UnsafeMutableBufferPointer<Float>
    /// Whose the elements are; nil where they are the matrix's own.
    private let owner: AnyObject?

    /// Makes a matrix of zeros.
    package convenience init(rows: Int, columns: Int) {
        self.init(rows: rows, columns: columns, isCleared: true)
    }

    /// Makes a matrix whose every element somebody is about to set.
    package convenience init(unsetRows rows: Int, columns: Int) {
        self.init(rows: rows, columns: columns, isCleared: false)
    }

    private init(rows: Int, columns: Int, isCleared: Bool) {
        precondition(rows >= 0 && columns >= 0)
        self.rows = rows
        self.columns = columns
        let byteCount = rows * columns * MemoryLayout<Float>.stride
        if byteCount >= FreshPages.worthwhileByteCount,
            let pages = FreshPages(byteCount: byteCount)
        {
            elements = pages.bytes.bindMemory(to: Float.self)
            owner = pages
            return
        }
        let raw = UnsafeMutableRawBufferPointer.allocate(
            byteCount: byteCount, alignment: byteCount < Matrix.hugePage ? 64 : Matrix.hugePage)
        #if canImport(Glibc)
        // Advice only: where it is not taken, large matrices lie in as many small pages.
        if byteCount >= Matrix.hugePage { madvise(raw.baseAddress, byteCount, MADV_HUGEPAGE) }
        #endif
        elements = raw.bindMemory(to: Float.self)
        if isCleared { elements.initialize(repeating: 0) }
        owner = nil
    }

    /// Makes a matrix of elements that live as long as their owner.
    init(
        rows: Int, columns: Int, _ elements: UnsafeMutableBufferPointer<Float>, of owner: AnyObject
    ) {
        precondition(elements.count == rows * columns)
        (self.rows, self.columns, self.elements, self.owner) = (rows, columns, elements, owner)
    }

    /// Makes a matrix of the given elements, row after row.
    package convenience init(rows: Int, columns: Int, _ values: some Collection<Float>) {
        self.init(rows: rows, columns: columns)
        precondition(values.count == elements.count)
        _ = elements.update(fromContentsOf: values)
    }

    /// Some rows as a matrix that shares their elements.
    package func view(ofRows range: Range<Int>) -> Matrix {
        Matrix(rows: range.count, columns: columns, rows(range), of: self)
    }

    package func copied() -> Matrix { Matrix(rows: rows, columns: columns, elements) }

    deinit {
        if owner == nil { UnsafeMutableRawBufferPointer(elements).deallocate() }
    }

    package subscript(row: Int, column: Int) -> Float {
        get { elements[row * columns + column] }
        set { elements[row * columns + column] = newValue }
    }

    package func row(_ row: Int) -> UnsafeMutableBufferPointer<Float> {
        rows(row..<row + 1)
    }

    /// Several rows as one run of elements.
    package func rows(_ range: Range<Int>) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(
            rebasing: elements[range.lowerBound * columns..<range.upperBound * columns])
    }

    /// self + other, of the same shape.
    package func sum(with other: Matrix) -> Matrix {
        precondition(rows == other.rows && columns == other.columns)
        let sum = Matrix(rows: rows, columns: columns)
        for index in elements.indices {
            sum.elements[index] = elements[index] + other.elements[index]
        }
        return sum
    }

    /// Where a row starts, for kernels that take strides.
    package func pointer(toRow row: Int, column: Int = 0) -> UnsafeMutablePointer<Float> {
        // The precondition keeps an empty matrix, which has no base address, from coming here.
        guard let base = elements.baseAddress, row < rows, column < columns else {
            preconditionFailure("no element (\(row), \(column)) in \(rows) × \(columns)")
        }
        return base + row * columns + column
    }
}

/// Zeros from the system, which clears each page when a thread first touches it: threads that fill a matrix
/// together then do so together, and nothing is written twice.
private final class FreshPages {
    /// Below, memory that is used again and again is the faster one.
    static let worthwhileByteCount = 1 << 25

    /// Aligned to a large page.
    let bytes: UnsafeMutableRawBufferPointer
    private let mapping: UnsafeMutableRawBufferPointer

    /// - Returns: nil where the system has no such memory.
    init?(byteCount: Int) {
        let mapped = byteCount + Matrix.hugePage
        let address = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
        guard let address, address != MAP_FAILED else { return nil }
        mapping = UnsafeMutableRawBufferPointer(start: address, count: mapped)
        let start = address.alignedUp(toMultipleOf: Matrix.hugePage)
        bytes = UnsafeMutableRawBufferPointer(start: start, count: byteCount)
        #if canImport(Glibc)
        madvise(start, byteCount, MADV_HUGEPAGE)
        #endif
    }

    deinit { munmap(mapping.baseAddress, mapping.count) }
}
