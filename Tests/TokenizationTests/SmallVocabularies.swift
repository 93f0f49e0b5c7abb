import ByteIO
import TestSupport

@testable import Tokenization

/// SentencePiece's BPE: bytes, letters, and words that merge from "▁ h e l l o".
func smallScoredBPE() -> TokenizerDefinition {
    let bytes = (0...UInt8.max).map(ByteToken.spelling)
    let words = ["▁", "h", "e", "l", "o", "ll", "he", "hell", "hello", "▁hello"]
    var definition = TokenizerDefinition(
        .characterBPE, tokens: ["<unk>", "<s>", "</s>"] + bytes + words)
    definition.types =
        [.unknown, .control, .control] + bytes.map { _ in .byte } + words.map { _ in .normal }
    definition.scores =
        (0..<259).map { _ in 0 } + words.indices.map { -Double($0) }
    definition.addedTokens = (0..<3).map {
        AddedToken(definition.tokens[$0], id: Int32($0), isSpecial: true)
    }
    definition.specialTokens = [.unknown: 0, .beginning: 1, .end: 2]
    definition.unknownToken = 0
    definition.fusesUnknown = true
    definition.usesByteFallback = true
    definition.prefix = [1]
    definition.setSentencePieceText(nil, removesExtraSpaces: false, addsPrefix: true)
    return definition
}

/// Letters and the words "ab", "abc" and "cd", of which "ab cd" is the most probable cut of "abcd".
func smallUnigram() -> TokenizerDefinition {
    var definition = TokenizerDefinition(
        .unigram, tokens: ["<pad>", "</s>", "<unk>", "▁", "a", "b", "c", "d", "ab", "abc", "cd"])
    definition.types = [.control, .control, .unknown] + Array(repeating: .normal, count: 8)
    definition.scores = [0, 0, 0, -2, -3, -3, -3, -3, -2, -4, -2.1]
    definition.addedTokens = (0..<3).map {
        AddedToken(definition.tokens[$0], id: Int32($0), isSpecial: true)
    }
    definition.specialTokens = [.padding: 0, .end: 1, .unknown: 2]
    definition.unknownToken = 2
    definition.fusesUnknown = true
    definition.suffix = [1]
    definition.preTokenizer = [.metaspace(MetaspaceOptions())]
    definition.decoder = [.metaspace("▁", dropsFirst: true)]
    return definition
}

func smallWordPiece() -> TokenizerDefinition {
    var definition = TokenizerDefinition(
        .wordPiece,
        tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing", "##ed", "a", "##a", "!"])
    definition.types =
        [.control, .control, .control, .control] + Array(repeating: .normal, count: 6)
    definition.addedTokens = (0..<4).map {
        AddedToken(definition.tokens[$0], id: Int32($0), isSpecial: true)
    }
    definition.specialTokens = [.padding: 0, .unknown: 1, .classification: 2, .separator: 3]
    definition.unknownToken = 1
    (definition.prefix, definition.suffix) = ([2], [3])
    definition.normalizers = [.bert(BertNormalization())]
    definition.preTokenizer = [.bert]
    definition.decoder = [.wordPiece(prefix: "##", cleansUp: true)]
    return definition
}

/// Writes messages of Protocol Buffers.
struct ProtobufBuilder {
    private(set) var bytes: [UInt8] = []

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func add(_ number: UInt64, number value: UInt64) {
        varint(number << 3)
        varint(value)
    }

    mutating func add(_ number: UInt64, _ value: Float) {
        varint(number << 3 | 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    }

    mutating func add(_ number: UInt64, _ value: [UInt8]) {
        varint(number << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }
}

/// The `tokenizer.model` that says what `smallScoredBPE` is, or a Unigram of the same pieces.
func smallSentencePiece(isBPE: Bool = true, characterMap: [UInt8] = []) -> [UInt8] {
    let definition = smallScoredBPE()
    var file = ProtobufBuilder()
    for (id, token) in definition.tokens.enumerated() {
        var piece = ProtobufBuilder()
        piece.add(1, Array(token.utf8))
        piece.add(2, Float(definition.scores[id]))
        if definition.types[id] != .normal {
            piece.add(3, number: UInt64(definition.types[id].rawValue))
        }
        file.add(1, piece.bytes)
    }
    var trainer = ProtobufBuilder()
    trainer.add(3, number: isBPE ? 2 : 1)
    trainer.add(35, number: 1)
    // Negative numbers are written as if they had 64 bits.
    trainer.add(43, number: UInt64(bitPattern: -1))
    file.add(2, trainer.bytes)
    var normalizer = ProtobufBuilder()
    normalizer.add(1, Array("identity".utf8))
    if !characterMap.isEmpty { normalizer.add(2, characterMap) }
    normalizer.add(4, number: 0)
    file.add(3, normalizer.bytes)
    return file.bytes
}
