import ByteIO
import TensorIR
import TestSupport
import Testing

@testable import Conversion

/// A model of Vectors/Mixes.txt and what llama.cpp makes of it with one mix.
private struct Case {
    var traits: MixTraits
    let mix: String
    let fileType: UInt32
    /// By kind and layer.
    let encodings: [(kind: String, byLayer: [String])]

    /// Names with their layers, in the order of a file.
    var tensors: [(name: String, layer: Int?, encoding: String)] {
        let outside = encodings.filter { !$0.kind.contains("_") || $0.kind == "token_embd" }
        let inside = encodings.filter { kind, _ in !outside.contains { $0.kind == kind } }
        return outside.map { ("\($0.kind).weight", nil, $0.byLayer[0]) }
            + (0..<traits.layerCount).flatMap { layer in
                inside.map { kind, byLayer in
                    ("blk.\(layer).\(kind).weight", layer, byLayer[min(layer, byLayer.count - 1)])
                }
            }
    }

    static func all() throws -> [Case] {
        let path = "\(Repository.root)/Tests/ConversionTests/Vectors/Mixes.txt"
        let text = String(decoding: try MappedFile.contents(ofFile: path), as: UTF8.self)
        var (cases, names, traits) = ([Case](), [Character: String](), MixTraits())
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words[0] {
            case "types":
                for word in words.dropFirst() {
                    names[word.first ?? " "] = String(word.dropFirst(2))
                }
            case "model":
                traits = MixTraits(
                    architecture: words[1], layerCount: try #require(Int(words[2])),
                    expertCount: try #require(Int(words[3])),
                    queriesPerKey: try #require(Int(words[4])), isOutputTied: words[5] == "tied")
            default:
                let encodings = words.dropFirst(3).map { word in
                    let parts = word.split(separator: "=")
                    return (String(parts[0]), parts[1].map { names[$0] ?? "" })
                }
                for hasImportance in words[1] == "*" ? [false, true] : [words[1] == "+"] {
                    traits.hasImportance = hasImportance
                    cases.append(
                        Case(
                            traits: traits, mix: words[0],
                            fileType: try #require(UInt32(words[2])), encodings: encodings))
                }
            }
        }
        return cases
    }
}

@Test func everyMixChoosesTheTypesOfLlamaCpp() throws {
    let cases = try Case.all()
    for example in cases {
        let mix = try #require(Mix(name: example.mix))
        #expect(mix.fileType == example.fileType)
        let tensors = example.tensors
        var rules = MixRules(mix, traits: example.traits, names: tensors.map(\.name))
        let differing = tensors.filter { tensor in
            let choice = rules.choice(
                for: tensor.name, layer: tensor.layer, isStack: tensor.name.contains("_exps"))
            return choice.encoding.rawValue != tensor.encoding
        }
        #expect(differing.map(\.name) == [], "\(mix) \(example.traits)")
    }
    // NVFP4 has a number, but llama.cpp makes no such files.
    #expect(Set(cases.map(\.mix)).count == Mix.allCases.count - 1)
}

@Test(arguments: [("q4_k", Mix.q4_K_M), ("Q3_K", .q3_K_M), ("q5_K_s", .q5_K_S), ("iq2_m", .iq2_m)])
func mixesHaveTheirNamesInAnyCase(name: String, mix: Mix) {
    #expect(Mix(name: name) == mix)
}

@Test func theUsualMixOfAnEncodingIsMostlyThatEncoding() {
    for mix in Mix.allCases {
        #expect(Mix(mostly: mix.encoding)?.encoding == mix.encoding)
    }
}
