/// Floats of four bits: a sign, two bits of exponent, one of mantissa (OCP Microscaling Formats, 1.0).
///
/// Kept doubled, so that all are integers: 0, 1, 2, 3, 4, 6, 8, 12. As in ggml, code 8, negative
/// zero, is 0.
enum E2M1 {
    /// Twice the value of each code.
    static let doubled: [Float] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
    /// The value of each code.
    static let values = doubled.map { $0 / 2 }
    /// The doubled values in ascending order, each once.
    static let levels: [Int8] = [-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12]

    /// The code of each level, by its place in `levels`.
    private static let codes: [UInt8] = [15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7]
    /// Where the magnitude of one code stops being the nearest and the next begins; at the boundary
    /// the smaller one wins.
    private static let boundaries: [Float] = [0.5, 1.5, 2.5, 3.5, 5, 7, 10]

    /// The code whose doubled value, times `scale`, is nearest to a weight; 0 for NaN.
    ///
    /// A boundary has so few bits that its product with a scale of either format is exact.
    @inline(__always)
    static func code(nearestTo weight: Float, scale: Float) -> UInt8 {
        guard scale > 0 else { return 0 }
        var code: UInt8 = 0
        for boundary in boundaries { code &+= weight.magnitude > boundary * scale ? 1 : 0 }
        return code == 0 || weight > 0 ? code : code | 8
    }

    /// The code of the level at a place in `levels`; that of 0 for a place that there is not.
    static func code(ofLevelAt place: Int8) -> UInt8 {
        codes.indices.contains(Int(place)) ? codes[Int(place)] : 0
    }

    /// The place in `levels` of a code's value.
    static func levelPlace(of code: UInt8) -> Int8 {
        let magnitude = Int8(code & 7)
        return code & 8 == 0 ? 7 + magnitude : 7 - magnitude
    }
}
