/// Why weights could not be put on a grid.
///
/// Says what is wrong and where in the matrix. The tensor's name is the caller's to add: a pass
/// sees numbers only.
@nonexhaustive
public enum QuantizationError: Error, Sendable, Hashable {
    /// A weight is infinite or not a number.
    case nonFiniteWeight(row: Int, column: Int)
    /// A weight is larger than the encoding is sure to hold.
    case weightTooLarge(row: Int, column: Int, encoding: String)
    /// No pass rounds to this encoding: it is no grid of scales and levels.
    case unsupportedEncoding(String)
    /// Rows of this width are not whole blocks of the encoding.
    case unsupportedWidth(columns: Int, encoding: String)
    /// A Hessian or an importance matrix is for inputs of another width.
    case widthMismatch(columns: Int, statistics: Int)

    /// The same for a matrix of which what failed was a part, from `row` on.
    package func shifted(byRows row: Int) -> QuantizationError {
        switch self {
        case .nonFiniteWeight(let own, let column):
            .nonFiniteWeight(row: row + own, column: column)
        case .weightTooLarge(let own, let column, let encoding):
            .weightTooLarge(row: row + own, column: column, encoding: encoding)
        default: self
        }
    }
}

extension QuantizationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .nonFiniteWeight(let row, let column):
            "the weight in row \(row), column \(column) is not a finite number"
        case .weightTooLarge(let row, let column, let encoding):
            "the weight in row \(row), column \(column) is too large for \(encoding)"
        case .unsupportedEncoding(let encoding):
            "weights cannot be rounded to \(encoding)"
        case .unsupportedWidth(let columns, let encoding):
            "rows of \(columns) weights are not whole blocks of \(encoding)"
        case .widthMismatch(let columns, let statistics):
            "rows have \(columns) weights, but the statistics are for \(statistics)"
        }
    }
}
