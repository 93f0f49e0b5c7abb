/// Floats to small integers, for every float there is.
///
/// `Int(_:)` traps on NaN, infinities and numbers out of range, and its checks keep loops from
/// being vectorized. Adding 1.5 * 2^23 instead leaves the integer in the low bits of the sum; the
/// remainder then says in which direction the processor rounded. The argument's magnitude must be
/// below 2^22 for the result to mean anything; for others it is some number.

private let integerPoint: Float = 12_582_912  // 1.5 * 2^23: one unit in the last place is 1

/// `value` to the nearest integer, ties away from zero, like C's `roundf`.
@inline(__always)
func roundedAway(_ value: Float) -> Int32 {
    let shifted = value + integerPoint
    let rest = value - (shifted - integerPoint)
    // A tie went to the even neighbour; half of the time that is the one nearer to zero.
    let correction: Int32 =
        rest == 0.5 && value > 0 ? 1 : rest == -0.5 && value < 0 ? -1 : 0
    return Int32(bitPattern: shifted.bitPattern &- integerPoint.bitPattern) &+ correction
}

/// The largest integer that is at most `value`.
@inline(__always)
func roundedDown(_ value: Float) -> Int32 {
    let shifted = value + integerPoint
    let correction: Int32 = shifted - integerPoint > value ? 1 : 0
    return Int32(bitPattern: shifted.bitPattern &- integerPoint.bitPattern) &- correction
}

/// `value` rounded down and clamped to 0...maximum; NaN becomes 0.
@inline(__always)
func code(_ value: Float, maximum: Float) -> UInt8 {
    let capped = value < maximum ? value : maximum
    return UInt8(truncatingIfNeeded: roundedDown(value > 0 ? capped : 0))
}

/// 1 / scale, or 0 where there is nothing to scale.
@inline(__always)
func inverse(_ scale: Float) -> Float { scale == 0 ? 0 : 1 / scale }
