import TensorIR
import Testing

@testable import Tokenization

@Suite struct GGUFPreTokenizerTests {
    private static let letters = #"[^\r\n\p{L}\p{N}]?\p{L}+"#
    private static let ends = #" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// Expressions as tokenizers have them, several for some names: what counts is what they mean.
    @Test(
        arguments: [
            ("gpt-2", [], PreTokenizerStep.gpt2Expression),
            (
                "gpt-2", [],
                #"'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
            ),
            ("smollm", [.digits(individual: true)], PreTokenizerStep.gpt2Expression),
            ("smollm", [split(#"\p{N}{1}"#)], PreTokenizerStep.gpt2Expression),
            ("qwen2", [], #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\#(letters)|\p{N}|\#(ends)"#),
            (
                "qwen2", [],
                #"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|\#(letters)|\p{N}|\#(ends)"#
            ),
            ("qwen2", [], #"'(?i:[sdmt]|ll|ve|re)|\#(letters)|\p{N}|\#(ends)"#),
            ("smaug-bpe", [], #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\#(letters)|\p{N}{1,3}|\#(ends)"#),
            ("smaug-bpe", [], #"(?i)'s|'t|'re|'ve|'m|'ll|'d|\#(letters)|\p{N}{1,3}|\#(ends)"#),
            ("ufakzeka", [], #"\#(letters)|\p{N}|\#(ends)"#),
            ("bloom", [], #" ?[^(\s|[.,!?…。，、।۔،])]+"#),
            ("viking", [split(#" ?[^(\s|[.,!?…。，、।۔،])]+"#)], #"\p{N}"#),
        ] as [(String, [PreTokenizerStep], String)])
    func namesByMeaning(name: String, first: [PreTokenizerStep], expression: String) throws {
        let steps: [PreTokenizerStep] =
            first + [
                Self.split(expression), .byteLevel(addsPrefixSpace: false, usesExpression: false),
            ]
        let match = GGUFPreTokenizer.matching(steps, ignoresMerges: false)
        #expect(match?.entry.names.first == name)
        #expect(match?.isExact == true)
        // Throwing away what lies between matches that lie side by side changes nothing.
        guard first.isEmpty, name != "bloom" else { return }
        let inverted: [PreTokenizerStep] = [
            .split(.expression(expression), .removed, isInverted: true), steps[1],
        ]
        #expect(
            GGUFPreTokenizer.matching(inverted, ignoresMerges: false)?.entry.names.first == name)
    }

    @Test(arguments: [
        #"\#(letters)|\p{N}{1,2}|\#(ends)"#, #"\#(letters)|\p{Nd}|\#(ends)"#, #"\p{L}+"#,
        #"(?i:'s|'t|'re|'ve|'m|'ll)|\#(letters)|\p{N}|\#(ends)"#,
    ])
    func otherExpressionsHaveNoName(expression: String) {
        let steps: [PreTokenizerStep] = [
            Self.split(expression), .byteLevel(addsPrefixSpace: false, usesExpression: false),
        ]
        #expect(GGUFPreTokenizer.matching(steps, ignoresMerges: false) == nil)
        let prefixed = [PreTokenizerStep.byteLevel(addsPrefixSpace: true, usesExpression: true)]
        #expect(GGUFPreTokenizer.matching(prefixed, ignoresMerges: false) == nil)
    }

    @Test func everyNameHasOneMeaningThatItIsWrittenFor() throws {
        let names = GGUFPreTokenizer.all.flatMap(\.names) + GGUFPreTokenizer.plainNames
        #expect(Set(names).count == names.count)
        for entry in GGUFPreTokenizer.all {
            _ = try Tokenizer(smallDefinition(entry.steps))
            let match = try #require(
                GGUFPreTokenizer.matching(entry.steps, ignoresMerges: entry.ignoresMerges))
            #expect(match.isExact)
            #expect(match.entry.ignoresMerges == entry.ignoresMerges)
            #expect(PreTokenizerForm(match.entry.steps) == PreTokenizerForm(entry.steps))
        }
    }

    /// llama.cpp gets the name that comes nearest, and we read back exactly what there was.
    @Test func tokenizersThatLlamaCPPOnlyComesNearComeBackWhole() throws {
        for entry in GGUFPreTokenizer.all {
            for origin in entry.origins {
                var definition = smallDefinition(origin)
                definition.ignoresMerges = entry.ignoresMerges
                let written = try definition.gguf()
                #expect(written.metadata["tokenizer.ggml.pre"] == .string(entry.names[0]))
                #expect(written.notes.count == 1)
                #expect(try TokenizerDefinition(gguf: written.metadata) == definition)
            }
        }
    }

    @Test(arguments: GGUFPreTokenizer.plainNames) func refusesNamesOfPlainText(name: String) throws
    {
        var metadata = try smallDefinition().gguf().metadata
        metadata["tokenizer.ggml.pre"] = .string(name)
        let error = #expect(throws: ModelError.self) { try TokenizerDefinition(gguf: metadata) }
        #expect(error?.description.contains(name) == true)
    }

    private static func split(_ expression: String) -> PreTokenizerStep {
        .split(.expression(expression), .isolated, isInverted: false)
    }
}
