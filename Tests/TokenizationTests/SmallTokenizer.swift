import ByteIO
import TensorIR

@testable import Tokenization

/// All bytes, and words that merge from "h e l l o".
func smallDefinition(
    _ steps: [PreTokenizerStep] = [.byteLevel(addsPrefixSpace: false, usesExpression: true)]
) -> TokenizerDefinition {
    let bytes = ByteAlphabet.scalars.map { String(Character($0)) }
    let merges = [
        Merge("l", "l"), Merge("h", "e"), Merge("he", "ll"), Merge("hell", "o"),
        Merge("Ġ", "hello"),
    ]
    return TokenizerDefinition(
        tokens: bytes + merges.map { $0.left + $0.right }, merges: merges, preTokenizer: steps)
}

extension TokenizerDefinition {
    /// The same with one more token, which is looked for in text.
    func adding(_ content: String, _ change: (inout AddedToken) -> Void = { _ in }) -> Self {
        var definition = self
        var token = AddedToken(content, id: Int32(tokens.count), isSpecial: true)
        change(&token)
        definition.tokens.append(content)
        definition.types.append(token.isSpecial ? .control : .userDefined)
        definition.addedTokens.append(token)
        return definition
    }
}

extension Tokenizer {
    /// The tokens of a text as text, which is easier to read than ids.
    func words(_ text: String, parseSpecial: Bool = true) throws -> [String] {
        try encode(text, addSpecial: false, parseSpecial: parseSpecial).map { decode([$0]) }
    }
}

/// A checkpoint without tensors that has these documents.
func folder(_ documents: [(String, JSON)]) -> Checkpoint {
    var checkpoint = Checkpoint(path: "folder", dialect: .huggingFace, tensors: [])
    for (name, json) in documents { checkpoint.documents[name] = json.bytes() }
    return checkpoint
}

func json(_ document: [UInt8]?) throws -> JSON {
    try JSON(parsing: document ?? [], subject: "document")
}
