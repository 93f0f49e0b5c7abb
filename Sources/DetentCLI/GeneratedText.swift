import ByteIO
import Generation
import Tokenization

/// The text of tokens that come one after another, up to a stop string.
struct GeneratedText {
    private var decoder: IncrementalDecoder
    private var stops: StopStrings
    /// All that was returned so far.
    private(set) var text = ""

    init(_ tokenizer: Tokenizer, after prompt: [Int32], showsSpecial: Bool, stops: [String]) {
        decoder = tokenizer.incrementalDecoder(skipSpecial: !showsSpecial)
        self.stops = StopStrings(stops)
        // What a token looks like may depend on whether it is the first.
        for id in prompt { _ = decoder.append(id) }
    }

    /// Whether a stop string has come.
    var isStopped: Bool { stops.isFound }

    /// Takes a token and returns the text that is certain with it, often none.
    mutating func append(_ id: Int32) -> String { keep(stops.append(decoder.append(id))) }

    /// Returns what is left when no more tokens come.
    mutating func finish() -> String {
        let rest = stops.append(decoder.finish())
        return keep(rest + stops.finish())
    }

    private mutating func keep(_ piece: String) -> String {
        text += piece
        return piece
    }
}

/// A text and how it came about, for programs.
struct GenerationDocument {
    let prompt: [Int32]
    let ids: [Int32]
    let text: String
    let stopString: Bool
    let summary: GenerationSummary

    var json: JSON {
        var members: JSON.Members = [
            "prompt_ids": JSON(ids: prompt), "ids": JSON(ids: ids), "text": .string(text),
            "stop_reason": .string(stopReason),
            "prompt_seconds": .number(summary.promptDuration / .seconds(1)),
            "seconds": .number(summary.duration / .seconds(1)),
            "steps": .integer(summary.stepCount),
        ]
        if summary.draftedCount > 0 {
            members["drafted"] = .integer(summary.draftedCount)
            members["accepted"] = .integer(summary.acceptedCount)
        }
        return .object(members)
    }

    private var stopReason: String {
        switch summary.stopReason {
        case _ where stopString: "stop_string"
        case .stopToken: "stop_token"
        case .tokenLimit: "max_tokens"
        case .contextFull: "context_full"
        case .receiver: "stop_string"
        }
    }
}

extension JSON {
    fileprivate init(ids: [Int32]) { self = .array(ids.map { .integer(Int($0)) }) }
}

extension String {
    /// The text with control characters spelled out, except for what makes lines and columns.
    var escapedForTerminal: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n", "\t": result.unicodeScalars.append(scalar)
            case _ where scalar.properties.generalCategory == .control:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
