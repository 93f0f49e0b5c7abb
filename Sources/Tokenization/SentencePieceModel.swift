import ByteIO

/// SentencePiece's `tokenizer.model` (Kudo and Richardson 2018), a message of Protocol Buffers:
///
///     1 pieces, repeated      1 text, 2 score (float), 3 type, absent for normal
///     2 trainer               3 model type, 35 byte fallback, 40 to 43 ids of unk, bos, eos, pad
///     3 normalizer            2 table of replacements, 3 adds a prefix, 4 removes extra spaces,
///                             5 escapes spaces
///
/// Fields with other numbers tell how it was trained.
struct SentencePieceModel {
    enum Kind: Int {
        case unigram = 1
        case bpe = 2
        case word = 3
        case character = 4
    }

    struct Piece {
        var text = ""
        var score: Float = 0
        var type = TokenType.normal
    }

    private(set) var pieces: [Piece] = []
    private(set) var kind = Kind.unigram
    private(set) var usesByteFallback = false
    /// Ids by part; -1 in the file for a part that nobody plays.
    private(set) var ids: [SpecialTokenRole: Int] = [.unknown: 0, .beginning: 1, .end: 2]
    private(set) var characterMap: [UInt8] = []
    private(set) var addsPrefix = true
    private(set) var removesExtraSpaces = true
    private(set) var escapesSpaces = true

    /// - Throws: `FormatError` where the bytes are no such message.
    init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ProtobufReader(bytes, reading: "tokenizer.model")
        while let field = try reader.field() {
            switch (field.number, field.value) {
            case (1, .bytes(let message)):
                guard pieces.count < TokenizerDefinition.maximumVocabularySize else {
                    throw reader.failure(.limitExceeded, "more pieces than a vocabulary may have")
                }
                pieces.append(try SentencePieceModel.piece(message, number: pieces.count))
            case (2, .bytes(let message)): try readTrainer(message)
            case (3, .bytes(let message)): try readNormalizer(message)
            case (1...3, _):
                throw reader.failure(.malformed, "field \(field.number) is no message")
            default: continue
            }
        }
        guard !pieces.isEmpty else { throw reader.failure(.missing, "has no pieces") }
    }

    private static func piece(
        _ message: UnsafeRawBufferPointer, number: Int
    ) throws(FormatError) -> Piece {
        var reader = ProtobufReader(message, reading: "tokenizer.model, piece \(number)")
        var piece = Piece()
        while let field = try reader.field() {
            switch field.number {
            case 1:
                guard
                    let text = field.value.bytes.flatMap({ String(validating: $0, as: UTF8.self) })
                else { throw reader.failure(.malformed, "its text is not UTF-8") }
                piece.text = text
            case 2:
                guard let score = field.value.float, !score.isNaN else {
                    throw reader.failure(.malformed, "its score is no number")
                }
                piece.score = score
            case 3:
                let type = field.value.integer.flatMap { Int32(exactly: $0) }
                guard let type = type.flatMap(TokenType.init) else {
                    throw reader.failure(.unsupportedVersion, "its type is not known")
                }
                piece.type = type
            default: continue
            }
        }
        return piece
    }

    private mutating func readTrainer(_ message: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ProtobufReader(message, reading: "tokenizer.model, trainer")
        while let field = try reader.field() {
            func integer() throws(FormatError) -> Int {
                guard let value = field.value.integer else {
                    throw reader.failure(.malformed, "field \(field.number) is no number")
                }
                return value
            }
            switch field.number {
            case 3:
                guard let kind = Kind(rawValue: try integer()) else {
                    throw reader.failure(.unsupportedVersion, "its model type is not known")
                }
                self.kind = kind
            case 24:
                guard try integer() == 0 else {
                    throw reader.failure(
                        .unsupportedVersion, "'treat_whitespace_as_suffix' is not supported")
                }
            case 35: usesByteFallback = try integer() != 0
            case 40: ids[.unknown] = try integer()
            case 41: ids[.beginning] = try integer()
            case 42: ids[.end] = try integer()
            case 43: ids[.padding] = try integer()
            default: continue
            }
        }
    }

    private mutating func readNormalizer(_ message: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ProtobufReader(message, reading: "tokenizer.model, normalizer")
        while let field = try reader.field() {
            func bool() throws(FormatError) -> Bool {
                guard let value = field.value.bool else {
                    throw reader.failure(.malformed, "field \(field.number) is not true or false")
                }
                return value
            }
            switch field.number {
            case 2:
                guard let bytes = field.value.bytes else {
                    throw reader.failure(.malformed, "its table of replacements is no bytes")
                }
                characterMap = Array(bytes)
            case 3: addsPrefix = try bool()
            case 4: removesExtraSpaces = try bool()
            case 5: escapesSpaces = try bool()
            default: continue
            }
        }
    }
}
