import Kernels
import TestSupport
import Testing

@Test func roundingHasTheBitsOfItsDefinition() {
    var generator = SeededGenerator(seed: 5)
    let extremes: [Float] = [
        .nan, .signalingNaN, -.nan, .infinity, -.infinity, .greatestFiniteMagnitude,
        .leastNonzeroMagnitude, -0.0, Float(bitPattern: 0x7F7F_8000),
    ]
    let any = (0..<100_003).map { _ in
        Float(bitPattern: .random(in: 0...UInt32.max, using: &generator))
    }
    let x = extremes + any
    var bits = [UInt16](repeating: 0, count: x.count)
    x.withUnsafeBufferPointer { x in
        bits.withUnsafeMutableBufferPointer { BFloat16.round(x, into: $0) }
    }
    #expect(bits == x.map(BFloat16.roundedBits))
}

/// Rows of 9 numbers: the last 5 of each, turned, times all.
@Test(arguments: [1, 3]) func roundedRowsAreOperands(threadCount: Int) {
    var generator = SeededGenerator(seed: 8)
    let (count, columns) = (20_000, 9)
    let x = generator.normals(count * columns)
    let result = Matrix(rows: 5, columns: columns)
    x.withUnsafeBufferPointer { x in
        guard let start = x.baseAddress else { return }
        let rows = RoundedRows(
            start, count: count, columns: columns, Workers(threadCount: threadCount))
        multiplyRounded(
            rows.transposed(column: 4), rows.operand, into: result.pointer(toRow: 0),
            stride: columns, rows: 5, inner: count, columns: columns)
        withExtendedLifetime(rows) {}
    }
    func value(_ row: Int, _ column: Int) -> Double {
        let bits = BFloat16.roundedBits(x[row * columns + column])
        return Double(Float(bitPattern: UInt32(bits) << 16))
    }
    for row in 0..<5 {
        for column in 0..<columns {
            let exact = (0..<count).reduce(0.0) { $0 + value($1, row + 4) * value($1, column) }
            #expect(abs(Double(result[row, column]) - exact) < Double(count) * 1e-5)
        }
    }
}

@Test(arguments: [(1, 1, 1), (17, 45, 7), (130, 576, 193)])
func roundedProductMatchesItsDefinition(rows: Int, inner: Int, columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(inner))
    let a = generator.normals(rows * inner).map(BFloat16.roundedBits)
    let b = generator.normals(columns * inner).map(BFloat16.roundedBits)
    let result = Matrix(rows: rows, columns: columns)
    try a.withUnsafeBufferPointer { a in
        try b.withUnsafeBufferPointer { b in
            multiplyRounded(
                RoundedOperand(try #require(a.baseAddress), stride: inner),
                RoundedOperand(try #require(b.baseAddress), stride: inner, transposed: true),
                into: result.pointer(toRow: 0), stride: columns, rows: rows, inner: inner,
                columns: columns)
        }
    }
    func value(_ bits: UInt16) -> Double { Double(Float(bitPattern: UInt32(bits) << 16)) }
    for row in 0..<rows {
        for column in 0..<columns {
            let exact = (0..<inner).reduce(0.0) {
                $0 + value(a[row * inner + $1]) * value(b[column * inner + $1])
            }
            // Products of such numbers are exact; the bound is that of any order of addition.
            let bound = Double(inner) * Double(Float.ulpOfOne) * 8 * Double(inner).squareRoot()
            #expect(abs(Double(result[row, column]) - exact) <= bound + 1e-6)
        }
    }
}
