import CKernels

/// Turns rows into columns: target (columns, rows) = source (rows, columns).
///
/// - Parameters:
///   - source: the first number of the first row.
///   - stride: elements from one row to the next.
///   - rows: of the source.
///   - columns: of the source.
///   - target: where the first column goes.
///   - targetStride: elements from one column's place to the next one's.
/// - Returns: whether all numbers are finite. `transposeReference` is the definition.
@discardableResult
package func transpose(
    _ source: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int,
    into target: UnsafeMutablePointer<Float>, stride targetStride: Int
) -> Bool {
    detent_transpose(source, stride, rows, columns, target, targetStride) == 0
}

package func transposeReference(
    _ source: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int,
    into target: UnsafeMutablePointer<Float>, stride targetStride: Int
) -> Bool {
    var areFinite = true
    for row in 0..<rows {
        for column in 0..<columns {
            let number = source[row * stride + column]
            target[column * targetStride + row] = number
            areFinite = areFinite && number.isFinite
        }
    }
    return areFinite
}
