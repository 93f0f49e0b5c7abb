/// Turns tokens back into bytes, step by step.
///
/// Steps at the beginning that look at one token only have been taken for the whole vocabulary.
struct TokenDecoder: Sendable {
    /// What is left to do once the tokens are known.
    let steps: [DecoderStep]
    /// Whether spaces go between what the steps leave: the library's way where there is no decoder.
    private let joinsWithSpaces: Bool
    /// The bytes of all tokens, one after the other.
    private let bytes: [UInt8]
    /// Where each token starts in them, and where the last one ends.
    private let offsets: [Int]

    /// Prepares to decode; `spellings` are those of tokens that are not spelled as in `tokens`.
    init(_ definition: TokenizerDefinition, spellings: [Int32: [UInt8]]) {
        var steps = definition.decoder[...]
        var isFused = false
        var local: [DecoderStep] = []
        while let step = steps.first {
            guard step == .byteLevel || step.isReplacement else { break }
            local.append(step)
            steps.removeFirst()
            // The bytes of a character may come from several tokens, which are one from here on.
            if step == .byteLevel {
                isFused = true
                break
            }
        }
        self.steps = (isFused ? [.fuse] : []) + steps
        joinsWithSpaces = definition.decoder.isEmpty
        var bytes: [UInt8] = []
        var offsets = [0]
        offsets.reserveCapacity(definition.tokens.count + 1)
        for (id, token) in definition.tokens.enumerated() {
            var token = spellings[Int32(id)] ?? Array(token.utf8)
            for step in local { token = step.applied(toToken: token) }
            bytes += token
            offsets.append(bytes.count)
        }
        (self.bytes, self.offsets) = (bytes, offsets)
    }

    /// The bytes of a token by itself, before the steps.
    func bytes(of id: Int32) -> ArraySlice<UInt8> { bytes[offsets[Int(id)]..<offsets[Int(id) + 1]] }

    /// The bytes of tokens in a row.
    ///
    /// With `repairing`, bytes of `byteFallback` that are no text become U+FFFD, one for each byte, as
    /// the `tokenizers` library has it.
    /// - Precondition: every id is in the vocabulary.
    func decode(_ ids: [Int32], repairing: Bool) -> [UInt8] {
        var result: [UInt8] = []
        // Nothing looks at single tokens any more: no need to keep them apart.
        if !joinsWithSpaces, steps.allSatisfy({ $0 == .fuse }) {
            for id in ids { result += bytes(of: id) }
            return result
        }
        var tokens = ids.map { Array(bytes(of: $0)) }
        for step in steps { step.apply(to: &tokens, repairing: repairing) }
        return Array(tokens.joined(separator: joinsWithSpaces ? [UInt8(ascii: " ")] : []))
    }
}

extension DecoderStep {
    fileprivate var isReplacement: Bool { if case .replace = self { true } else { false } }

    /// What a step that looks at one token makes of it.
    fileprivate func applied(toToken token: [UInt8]) -> [UInt8] {
        switch self {
        case .byteLevel: token.withUnsafeBufferPointer(ByteAlphabet.bytes) ?? token
        case .replace(let text, let content):
            token.replacing(Array(text.utf8), with: Array(content.utf8))
        default: token
        }
    }

    fileprivate func apply(to tokens: inout [[UInt8]], repairing: Bool) {
        switch self {
        case .byteLevel:
            tokens = [tokens.flatMap { applied(toToken: $0) }]
        case .replace:
            for place in tokens.indices { tokens[place] = applied(toToken: tokens[place]) }
        case .byteFallback: DecoderStep.joinBytes(&tokens, repairing: repairing)
        case .fuse: tokens = [Array(tokens.joined())]
        case .strip(let scalar, let start, let stop):
            let content = Array(String(Character(scalar)).utf8)
            for place in tokens.indices {
                tokens[place] = DecoderStep.stripped(tokens[place], content, start, stop)
            }
        case .metaspace(let scalar, let dropsFirst):
            let content = Array(String(Character(scalar)).utf8)
            for place in tokens.indices {
                let space = place == 0 && dropsFirst ? [] : [UInt8(ascii: " ")]
                tokens[place] = tokens[place].replacing(content, with: space)
            }
        case .wordPiece(let prefix, let cleansUp):
            let prefix = Array(prefix.utf8)
            for place in tokens.indices {
                if place > 0 {
                    if tokens[place].starts(with: prefix) {
                        tokens[place].removeFirst(prefix.count)
                    } else {
                        tokens[place].insert(UInt8(ascii: " "), at: 0)
                    }
                }
                if cleansUp { tokens[place] = DecoderStep.cleanedUp(tokens[place]) }
            }
        case .wordSuffix(let suffix):
            let suffix = Array(suffix.utf8)
            for place in tokens.indices {
                let space = place == tokens.count - 1 ? [] : [UInt8(ascii: " ")]
                tokens[place] = tokens[place].replacing(suffix, with: space)
            }
        }
    }

    private static func joinBytes(_ tokens: inout [[UInt8]], repairing: Bool) {
        var result: [[UInt8]] = []
        var run: [UInt8] = []
        func endRun() {
            guard !run.isEmpty else { return }
            if repairing, String(validating: run, as: UTF8.self) == nil {
                run = run.flatMap { _ in "\u{FFFD}".utf8 }
            }
            result.append(run)
            run = []
        }
        for token in tokens {
            if let byte = ByteToken.byte(of: token) {
                run.append(byte)
            } else {
                endRun()
                result.append(token)
            }
        }
        endRun()
        tokens = result
    }

    private static func stripped(
        _ token: [UInt8], _ content: [UInt8], _ start: Int, _ stop: Int
    ) -> [UInt8] {
        var rest = token[...]
        for _ in 0..<min(start, token.count) where rest.starts(with: content) {
            rest.removeFirst(content.count)
        }
        for _ in 0..<min(stop, token.count) where rest.suffix(content.count) == content[...] {
            rest.removeLast(content.count)
        }
        return Array(rest)
    }

    /// English, as BERT's authors had it.
    private static func cleanedUp(_ token: [UInt8]) -> [UInt8] {
        // Nearly no token has one of these: a space, and a character that follows it below.
        let isCandidate = zip(token, token.dropFirst()).contains { first, second in
            first == UInt8(ascii: " ") && cleanUpFollowers.contains(second)
        }
        guard isCandidate else { return token }
        return cleanUps.reduce(token) { $0.replacing(Array($1.0.utf8), with: Array($1.1.utf8)) }
    }

    private static let cleanUps = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
        (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    private static let cleanUpFollowers = Array(".?!,'nd".utf8)
}

/// Tokens that stand for one byte: `<0x0A>`.
enum ByteToken {
    static func spelling(of byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x\(digits.count < 2 ? "0" : "")\(digits)>"
    }

    static func byte(of token: some Collection<UInt8>) -> UInt8? {
        guard token.count == 6, token.starts(with: "<0x".utf8) else { return nil }
        let end = Array(token.suffix(3))
        guard end[2] == UInt8(ascii: ">"), end[0] != UInt8(ascii: "+") else { return nil }
        return UInt8(String(decoding: end[..<2], as: UTF8.self), radix: 16)
    }
}

extension [UInt8] {
    /// The bytes with every place of `sought` replaced, from left to right.
    func replacing(_ sought: [UInt8], with replacement: [UInt8]) -> [UInt8] {
        guard let first = sought.first, sought.count <= count else { return self }
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var position = 0
        while position < count {
            if self[position] == first, self[position...].starts(with: sought) {
                result += replacement
                position += sought.count
            } else {
                result.append(self[position])
                position += 1
            }
        }
        return result
    }
}
