import TensorIR

/// GGML's numbers for the types of tensors, as GGUF files carry them.
public enum GGMLType {
    /// The number that stands for an encoding, or nil where GGML has no such type.
    public static func id(of encoding: Encoding) -> UInt32? { ids[encoding] }

    /// The encoding that a number stands for, or nil where it is unknown or has been withdrawn.
    public static func encoding(of id: UInt32) -> Encoding? { encodings[id] }

    /// Types that GGML has withdrawn, for error messages.
    static let withdrawn: [UInt32: String] = [
        4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 36: "IQ4_NL_4_4",
        37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
    ]

    private static let ids = Dictionary(uniqueKeysWithValues: table)
    private static let encodings = Dictionary(uniqueKeysWithValues: table.map { ($1, $0) })

    /// `enum ggml_type` of ggml.h.
    private static let table: [(Encoding, UInt32)] = [
        (.scalar(.f32), 0), (.scalar(.f16), 1), (.block(.q4_0), 2), (.block(.q4_1), 3),
        (.block(.q5_0), 6), (.block(.q5_1), 7), (.block(.q8_0), 8), (.block(.q8_1), 9),
        (.block(.q2_K), 10), (.block(.q3_K), 11), (.block(.q4_K), 12), (.block(.q5_K), 13),
        (.block(.q6_K), 14), (.block(.q8_K), 15), (.block(.iq2_xxs), 16), (.block(.iq2_xs), 17),
        (.block(.iq3_xxs), 18), (.block(.iq1_s), 19), (.block(.iq4_nl), 20), (.block(.iq3_s), 21),
        (.block(.iq2_s), 22), (.block(.iq4_xs), 23), (.scalar(.i8), 24), (.scalar(.i16), 25),
        (.scalar(.i32), 26), (.scalar(.i64), 27), (.scalar(.f64), 28), (.block(.iq1_m), 29),
        (.scalar(.bf16), 30), (.block(.tq1_0), 34), (.block(.tq2_0), 35), (.block(.mxfp4), 39),
        (.block(.nvfp4), 40), (.block(.q1_0), 41), (.block(.q2_0), 42),
    ]
}
