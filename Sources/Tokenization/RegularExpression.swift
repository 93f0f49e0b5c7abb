import ByteIO
import CPCRE2
import TensorIR

/// A compiled expression of a pre-tokenizer. Threads may share it; each brings its own `Matcher`.
///
/// The `tokenizers` library runs these expressions with Oniguruma, this package with PCRE2 and its
/// just-in-time compiler; `OnigurumaExpression` bridges what the two read differently.
final class RegularExpression: @unchecked Sendable {
    // Never written after `init`; PCRE2 promises that compiled code may be shared by threads.
    private let code: OpaquePointer
    /// Whether there is machine code.
    private let isCompiled: Bool
    /// The expression as the file has it, for messages.
    let source: String

    convenience init(_ expression: String) throws(ModelError) {
        let pattern: String
        do {
            pattern = try OnigurumaExpression(parsing: expression).pcre2
        } catch {
            throw ModelError(
                "pre-tokenizer expression '\(expression.escapedForDisplay)': \(error.reason)")
        }
        // In Oniguruma `^` and `$` stand for the ends of lines, not of the text.
        try self.init(pattern, options: PCRE2_MULTILINE, source: expression)
    }

    /// Matches `text` itself.
    convenience init(literal text: String) throws(ModelError) {
        try self.init(text, options: PCRE2_LITERAL, source: text)
    }

    private init(_ pattern: String, options: UInt32, source: String) throws(ModelError) {
        guard !pattern.isEmpty else { throw ModelError("a pre-tokenizer's pattern is empty") }
        let properties = options & PCRE2_LITERAL == 0 ? PCRE2_UCP : 0
        var error: Int32 = 0
        var place = 0
        let units = Array(pattern.utf8)
        let compiled = pcre2_compile_8(
            units, units.count, options | properties | PCRE2_UTF, &error, &place, nil)
        guard let compiled else {
            throw ModelError(
                "pre-tokenizer expression '\(source.escapedForDisplay)' cannot be compiled: "
                    + RegularExpression.message(error))
        }
        // Without the compiler (some systems forbid it) the interpreter does the same, slower.
        isCompiled = pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE) == 0
        code = compiled
        self.source = source
    }

    deinit { pcre2_code_free_8(code) }

    fileprivate static func message(_ error: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(error, &text, text.count)
        return String(decoding: text.prefix(Int(max(0, length))), as: UTF8.self)
    }

    /// Finds matches for one thread.
    final class Matcher {
        private let expression: RegularExpression
        private let code: OpaquePointer
        private let isCompiled: Bool
        private let ends: UnsafeMutablePointer<Int>
        private let match: OpaquePointer
        private let context: OpaquePointer
        private let stack: OpaquePointer

        /// Nil where the system has no memory for it.
        init?(_ expression: RegularExpression) {
            guard let match = pcre2_match_data_create_8(1, nil) else { return nil }
            guard let context = pcre2_match_context_create_8(nil) else {
                pcre2_match_data_free_8(match)
                return nil
            }
            // Repeated groups keep a frame per repetition. The stack grows only when it is needed.
            guard let stack = pcre2_jit_stack_create_8(32 << 10, 64 << 20, nil) else {
                pcre2_match_context_free_8(context)
                pcre2_match_data_free_8(match)
                return nil
            }
            pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
            self.expression = expression
            (code, isCompiled) = (expression.code, expression.isCompiled)
            ends = pcre2_get_ovector_pointer_8(match)
            (self.match, self.context, self.stack) = (match, context, stack)
        }

        deinit {
            pcre2_match_context_free_8(context)
            pcre2_jit_stack_free_8(stack)
            pcre2_match_data_free_8(match)
        }

        /// The first match that starts at or after `start`, which is the boundary of a character.
        ///
        /// - Precondition: `text` is UTF-8; nobody checks that again.
        func first(
            in text: UnsafeBufferPointer<UInt8>, from start: Int
        ) throws(ModelError) -> Range<Int>? {
            let status =
                isCompiled
                ? pcre2_jit_match_8(code, text.baseAddress, text.count, start, 0, match, context)
                : pcre2_match_8(
                    code, text.baseAddress, text.count, start, PCRE2_NO_UTF_CHECK, match, context)
            if status == PCRE2_ERROR_NOMATCH { return nil }
            guard status >= 0 else {
                throw ModelError(
                    "pre-tokenizer expression '\(expression.source.escapedForDisplay)' gave up: "
                        + RegularExpression.message(status))
            }
            // `\K` can set a start behind the end; no pre-tokenizer has a use for it.
            guard ends[0] >= start, ends[0] <= ends[1] else {
                throw ModelError(
                    "pre-tokenizer expression '\(expression.source.escapedForDisplay)' moves the "
                        + "start of its match")
            }
            return ends[0]..<ends[1]
        }
    }
}

/// Cuts a text into matches and what lies between them, in order and without a gap.
struct Spans {
    private let text: UnsafeBufferPointer<UInt8>
    private let matcher: RegularExpression.Matcher
    private var position = 0
    private var searchStart = 0
    private var pendingMatch: Range<Int>?
    private var lastMatchEnd = -1

    init(_ text: UnsafeBufferPointer<UInt8>, _ matcher: RegularExpression.Matcher) {
        (self.text, self.matcher) = (text, matcher)
    }

    /// The next span and whether it is a match; nil at the end of the text.
    mutating func next() throws(ModelError) -> (range: Range<Int>, isMatch: Bool)? {
        if let match = pendingMatch {
            pendingMatch = nil
            position = match.upperBound
            return (match, true)
        }
        guard let match = try nextMatch() else {
            guard position < text.count else { return nil }
            defer { position = text.count }
            return (position..<text.count, false)
        }
        guard match.lowerBound > position else {
            position = match.upperBound
            return (match, true)
        }
        pendingMatch = match
        return (position..<match.lowerBound, false)
    }

    /// As Oniguruma's iterator does it: an empty match right behind a match does not count, and the
    /// search goes on one character later.
    private mutating func nextMatch() throws(ModelError) -> Range<Int>? {
        while searchStart <= text.count {
            guard let match = try matcher.first(in: text, from: searchStart) else {
                searchStart = text.count + 1
                return nil
            }
            guard match.isEmpty, match.lowerBound == lastMatchEnd else {
                searchStart = match.upperBound
                lastMatchEnd = match.upperBound
                return match
            }
            searchStart += 1
            while searchStart < text.count, text[searchStart] & 0xC0 == 0x80 { searchStart += 1 }
        }
        return nil
    }
}
