import ByteIO
import TensorIR

/// Turns text into token ids and back, as its definition says.
///
///     let tokenizer = try Tokenizer(checkpoint: checkpoint)
///     let ids = try tokenizer.encode("Hello, world!")
///     tokenizer.decode(ids, skipSpecial: true)            // "Hello, world!"
///
/// A value may be used by many threads at once. Encoding follows the `tokenizers` library to the
/// id.
public struct Tokenizer: Sendable {
    public let definition: TokenizerDefinition
    private let model: any TokenizationModel
    private let normalizers: [TextNormalizer.Step]
    /// How tokens become bytes.
    let decoder: TokenDecoder
    private let rawTokens: AddedTokenMatcher
    private let normalizedTokens: AddedTokenMatcher
    private let isSpecial: [Bool]

    /// Prepares a definition for use.
    ///
    /// - Parameters:
    ///   - definition: what to do.
    ///   - other: a tokenizer whose tables of words and merges are taken where the definition has the same.
    /// - Throws: `ModelError` for an expression that cannot be compiled, or merges that name tokens
    ///   that are not in the vocabulary.
    public init(
        _ definition: TokenizerDefinition, sharing other: Tokenizer? = nil
    ) throws(ModelError) {
        let normalizers = try TextNormalizer.Step.compiled(definition.normalizers)
        let normalizer = try TextNormalizer(normalizers)
        var rawTokens = AddedTokenMatcher()
        var normalizedTokens = AddedTokenMatcher()
        var spellings: [Int32: [UInt8]] = [:]
        var isSpecial = Array(repeating: false, count: definition.tokens.count)
        for token in definition.addedTokens {
            let content = Array(token.content.utf8)
            if token.isNormalized {
                let normalized = try normalizer.applied(to: content)
                normalizedTokens.insert(token, as: normalized)
                // The library names such a token by what it looks for, also when it decodes.
                if normalized != content { spellings[token.id] = normalized }
            } else {
                rawTokens.insert(token, as: content)
            }
            if isSpecial.indices.contains(Int(token.id)) {
                isSpecial[Int(token.id)] = token.isSpecial
            }
        }
        model = try Tokenizer.model(definition, sharing: other)
        decoder = TokenDecoder(definition, spellings: spellings)
        self.definition = definition
        self.normalizers = normalizers
        (self.rawTokens, self.normalizedTokens) = (rawTokens, normalizedTokens)
        self.isSpecial = isSpecial
    }

    private static func model(
        _ definition: TokenizerDefinition, sharing other: Tokenizer?
    ) throws(ModelError) -> any TokenizationModel {
        switch definition.model {
        case .byteLevelBPE:
            try ByteLevelBPE(definition, sharing: other?.model(withTablesOf: definition))
        case .characterBPE: try CharacterBPE(definition)
        case .unigram: try Unigram(definition)
        case .wordPiece: try WordPiece(definition)
        }
    }

    private func model(withTablesOf other: TokenizerDefinition) -> ByteLevelBPE? {
        definition.hasTables(of: other) ? model as? ByteLevelBPE : nil
    }

    /// Reads a checkpoint's tokenizer and prepares it.
    /// - Throws: what `TokenizerDefinition.init(checkpoint:)` and `init(_:)` throw.
    public init(checkpoint: Checkpoint) throws {
        try self.init(TokenizerDefinition(checkpoint: checkpoint))
    }

    /// Ids run from 0 to this number, exclusively.
    public var vocabularySize: Int { definition.tokens.count }

    /// The token that starts a sequence, where there is one; whether encoding adds it says
    /// `addsBOS`.
    public var bosToken: Int32? { definition.specialTokens[.beginning] }

    /// The token that ends a sequence, where there is one; whether encoding adds it says `addsEOS`.
    public var eosToken: Int32? { definition.specialTokens[.end] }

    /// Whether an encoded text starts with `bosToken`.
    public var addsBOS: Bool { definition.addsBOS }

    /// Whether an encoded text ends with `eosToken`.
    public var addsEOS: Bool { definition.addsEOS }

    /// Turns text into token ids.
    ///
    /// With `addSpecial` the definition's prefix and suffix (BOS, EOS) are added; with
    /// `parseSpecial` special tokens that are spelled out in the text become those tokens.
    /// - Throws: `ModelError` where an expression of the pre-tokenizer gives up on the text.
    public func encode(
        _ text: String, addSpecial: Bool = true, parseSpecial: Bool = true
    ) throws(ModelError) -> [Int32] {
        var text = text
        let result = text.withUTF8 { bytes in
            Result { () throws(ModelError) in
                try ids(of: bytes, addSpecial: addSpecial, parseSpecial: parseSpecial)
            }
        }
        return try result.get()
    }

    /// Turns the bytes of a text into token ids.
    /// - Throws: `FormatError` where they are not UTF-8, naming the place; else as for strings.
    public func encode(
        utf8 bytes: UnsafeRawBufferPointer, addSpecial: Bool = true, parseSpecial: Bool = true
    ) throws -> [Int32] {
        if let place = UTF8.firstFault(in: bytes) {
            throw FormatError(.malformed, in: "text", at: place, "not UTF-8")
        }
        return try bytes.withMemoryRebound(to: UInt8.self) { text throws(ModelError) in
            try ids(of: text, addSpecial: addSpecial, parseSpecial: parseSpecial)
        }
    }

    /// Turns the bytes of a text into token ids and hands them on in runs as they come, so that not
    /// all of them are held at once.
    ///
    /// The runs in a row are what `encode(utf8:addSpecial:parseSpecial:)` returns.
    /// - Throws: as that does, and what `receive` throws; nothing is handed on after it did.
    public func encode(
        utf8 bytes: UnsafeRawBufferPointer, addSpecial: Bool = true, parseSpecial: Bool = true,
        _ receive: ([Int32]) throws -> Void
    ) throws {
        if let place = UTF8.firstFault(in: bytes) {
            throw FormatError(.malformed, in: "text", at: place, "not UTF-8")
        }
        var outcome = Result<Void, any Error>.success(())
        let pass = { (ids: [Int32]) in
            outcome = outcome.flatMap { Result { try receive(ids) } }
        }
        try withoutActuallyEscaping(pass) { pass in
            try bytes.withMemoryRebound(to: UInt8.self) { text throws(ModelError) in
                pass(
                    try ids(
                        of: text, addSpecial: addSpecial, parseSpecial: parseSpecial,
                        receive: pass))
            }
        }
        try outcome.get()
    }

    /// Turns token ids back into text; bytes that are not UTF-8 become U+FFFD.
    ///
    /// With `skipSpecial` special tokens are left out.
    public func decode(_ ids: some Sequence<Int32>, skipSpecial: Bool = false) -> String {
        let bytes = decoder.decode(kept(ids, skipSpecial), repairing: true)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Turns token ids back into bytes, which need not be whole characters.
    ///
    /// Ids outside the vocabulary stand for nothing.
    public func decodeBytes(_ ids: some Sequence<Int32>, skipSpecial: Bool = false) -> [UInt8] {
        decoder.decode(kept(ids, skipSpecial), repairing: false)
    }

    /// The ids that stand for text.
    func kept(_ ids: some Sequence<Int32>, _ skipSpecial: Bool) -> [Int32] {
        // Of anything but a buffer each number comes through a witness, which takes ten times as long.
        let kept = ids.withContiguousStorageIfAvailable {
            $0.filter { isText($0, skipSpecial: skipSpecial) }
        }
        return kept ?? ids.filter { isText($0, skipSpecial: skipSpecial) }
    }

    /// Whether an id stands for text: not one outside of the vocabulary, nor a special token where those
    /// are left out.
    func isText(_ id: Int32, skipSpecial: Bool) -> Bool {
        isSpecial.indices.contains(Int(id)) && !(skipSpecial && isSpecial[Int(id)])
    }

    private func ids(
        of text: UnsafeBufferPointer<UInt8>, addSpecial: Bool, parseSpecial: Bool,
        receive: (([Int32]) -> Void)? = nil
    ) throws(ModelError) -> [Int32] {
        guard text.count <= Tokenizer.maximumTextSize else {
            throw ModelError(
                "text of \(text.count) bytes; at most \(Tokenizer.maximumTextSize) at a time")
        }
        var ids = TokenBuffer(addSpecial ? definition.prefix : [], receive: receive)
        let run = Run(session: try model.session(), normalizer: try TextNormalizer(normalizers))
        for piece in rawTokens.pieces(of: text, parseSpecial: parseSpecial) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let range):
                let part = UnsafeBufferPointer(rebasing: text[range])
                let isAtStart = range.lowerBound == 0
                try encodeRaw(part, isAtStart, parseSpecial, run, into: &ids)
            }
        }
        if addSpecial { ids.ids += definition.suffix }
        return ids.ids
    }

    /// Places in a word are counted in 32 bits.
    static let maximumTextSize = 1 << 31

    /// What one call of `encode` keeps to itself.
    private struct Run {
        let session: any TokenizationSession
        let normalizer: TextNormalizer
    }

    /// Encodes what lies between non-normalized added tokens.
    private func encodeRaw(
        _ text: UnsafeBufferPointer<UInt8>, _ isAtStart: Bool, _ parseSpecial: Bool, _ run: Run,
        into ids: inout TokenBuffer
    ) throws(ModelError) {
        guard let normalized = try run.normalizer.changed(text) else {
            return try encodeNormalized(text, isAtStart, parseSpecial, run, into: &ids)
        }
        var appended = ids
        ids.ids = []
        let result = normalized.withUnsafeBufferPointer { bytes in
            Result { () throws(ModelError) in
                try encodeNormalized(bytes, isAtStart, parseSpecial, run, into: &appended)
            }
        }
        ids = appended
        try result.get()
    }

    private func encodeNormalized(
        _ text: UnsafeBufferPointer<UInt8>, _ isAtStart: Bool, _ parseSpecial: Bool, _ run: Run,
        into ids: inout TokenBuffer
    ) throws(ModelError) {
        guard !normalizedTokens.isEmpty else {
            return try run.session.encode(text, isAtStart: isAtStart, into: &ids)
        }
        for piece in normalizedTokens.pieces(of: text, parseSpecial: parseSpecial) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let range):
                let part = UnsafeBufferPointer(rebasing: text[range])
                try run.session.encode(
                    part, isAtStart: isAtStart && range.lowerBound == 0, into: &ids)
            }
        }
    }
}

/// A family of tokenizers at work: text without added tokens to ids, and ids to bytes.
///
/// What the families share (added tokens, normalizers, prefix and suffix) is in `Tokenizer`.
protocol TokenizationModel: Sendable {
    /// What one call of `encode` keeps to itself: scratch memory and a cache of words.
    func session() throws(ModelError) -> any TokenizationSession
}

/// One thread's state while it encodes.
protocol TokenizationSession: AnyObject {
    /// Appends the ids of a text, which is UTF-8; `isAtStart` where nothing stands before it.
    func encode(
        _ text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, into ids: inout TokenBuffer
    ) throws(ModelError)
}

extension UTF8 {
    /// Where the first byte stands that is not part of a character, or nil.
    static func firstFault(in bytes: UnsafeRawBufferPointer) -> Int? {
        // The fast test answers nearly always, and copies the text; the slow one finds the place.
        var start = 0
        while start < bytes.count {
            var end = min(start + (1 << 20), bytes.count)
            while end > start, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            let part = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            guard end > start, String(validating: part, as: UTF8.self) != nil else { break }
            start = end
        }
        guard start < bytes.count else { return nil }
        var iterator = bytes[start...].makeIterator()
        var parser = UTF8.ForwardParser()
        var place = start
        while case .valid(let character) = parser.parseScalar(from: &iterator) {
            place += character.count
        }
        return place
    }
}
