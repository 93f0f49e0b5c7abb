import TensorIR

/// A type of GGUF file by the name that people know, such as `Q4_K_M`: an encoding for most matrices, and
/// rules for those that take another.
///
/// The names, numbers and rules are llama.cpp's (`llama_model_quantize` of July 2026), so that files of one
/// name have the same types, tensor by tensor, and the same size. Raw values are llama.cpp's names.
public enum Mix: String, Sendable, Hashable, CaseIterable {
    case q8_0 = "Q8_0"
    case q6_K = "Q6_K"
    case q5_K_M = "Q5_K_M"
    case q5_K_S = "Q5_K_S"
    case q5_1 = "Q5_1"
    case q5_0 = "Q5_0"
    case q4_K_M = "Q4_K_M"
    case q4_K_S = "Q4_K_S"
    case q4_1 = "Q4_1"
    case q4_0 = "Q4_0"
    case iq4_nl = "IQ4_NL"
    case iq4_xs = "IQ4_XS"
    case q3_K_L = "Q3_K_L"
    case q3_K_M = "Q3_K_M"
    case q3_K_S = "Q3_K_S"
    case iq3_m = "IQ3_M"
    case iq3_s = "IQ3_S"
    case iq3_xs = "IQ3_XS"
    case iq3_xxs = "IQ3_XXS"
    case q2_K = "Q2_K"
    case q2_K_S = "Q2_K_S"
    case iq2_m = "IQ2_M"
    case iq2_s = "IQ2_S"
    case iq2_xs = "IQ2_XS"
    case iq2_xxs = "IQ2_XXS"
    case iq1_m = "IQ1_M"
    case iq1_s = "IQ1_S"
    case tq2_0 = "TQ2_0"
    case tq1_0 = "TQ1_0"
    case mxfp4_moe = "MXFP4_MOE"
    case nvfp4 = "NVFP4"

    /// A mix by its name in any case; `Q3_K`, `Q4_K` and `Q5_K` are short for the medium ones.
    public init?(name: String) {
        let name = name.uppercased()
        let medium = ["Q3_K", "Q4_K", "Q5_K"].contains(name)
        self.init(rawValue: medium ? name + "_M" : name)
    }

    /// The usual mix with most matrices in an encoding, or nil where there is none.
    public init?(mostly encoding: BlockEncoding) {
        switch encoding {
        case .q3_K: self = .q3_K_M
        case .q4_K: self = .q4_K_M
        case .q5_K: self = .q5_K_M
        case .iq2_s: self = .iq2_m
        case .mxfp4: self = .mxfp4_moe
        default: self.init(rawValue: encoding.rawValue)
        }
    }

    /// What most matrices become.
    public var encoding: BlockEncoding {
        switch self {
        case .q8_0: .q8_0
        case .q6_K: .q6_K
        case .q5_K_M, .q5_K_S: .q5_K
        case .q5_1: .q5_1
        case .q5_0: .q5_0
        case .q4_K_M, .q4_K_S: .q4_K
        case .q4_1: .q4_1
        case .q4_0: .q4_0
        case .iq4_nl: .iq4_nl
        case .iq4_xs: .iq4_xs
        case .q3_K_L, .q3_K_M, .q3_K_S: .q3_K
        case .iq3_m, .iq3_s, .iq3_xs: .iq3_s
        case .iq3_xxs: .iq3_xxs
        case .q2_K, .q2_K_S: .q2_K
        case .iq2_m: .iq2_s
        case .iq2_s, .iq2_xs: .iq2_xs
        case .iq2_xxs: .iq2_xxs
        case .iq1_m: .iq1_m
        case .iq1_s: .iq1_s
        case .tq2_0: .tq2_0
        case .tq1_0: .tq1_0
        case .mxfp4_moe: .mxfp4
        case .nvfp4: .nvfp4
        }
    }

    /// llama.cpp's number for the mix, which `general.file_type` states.
    public var fileType: UInt32 {
        switch self {
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q2_K: 10
        case .q3_K_S: 11
        case .q3_K_M: 12
        case .q3_K_L: 13
        case .q4_K_S: 14
        case .q4_K_M: 15
        case .q5_K_S: 16
        case .q5_K_M: 17
        case .q6_K: 18
        case .iq2_xxs: 19
        case .iq2_xs: 20
        case .q2_K_S: 21
        case .iq3_xs: 22
        case .iq3_xxs: 23
        case .iq1_s: 24
        case .iq4_nl: 25
        case .iq3_s: 26
        case .iq3_m: 27
        case .iq2_s: 28
        case .iq2_m: 29
        case .iq4_xs: 30
        case .iq1_m: 31
        case .tq1_0: 36
        case .tq2_0: 37
        case .mxfp4_moe: 38
        case .nvfp4: 39
        }
    }
}
