import ByteIO

/// A question with several answers, in text (Formats/Tasks/SPECIFICATION.md).
public struct ChoiceQuestion: Sendable, Hashable {
    /// How sequences are made of it, and what of them is scored.
    public enum Kind: String, Sendable, Hashable {
        case hellaSwag = "hellaswag"
        case winogrande
        case multipleChoice = "multiple-choice"
    }

    public let kind: Kind
    /// What stands before the answer.
    public let question: String
    public let answers: [String]
    /// What stands behind it; empty but for Winogrande.
    public let continuation: String
    /// One for each answer.
    public let isRight: [Bool]

    /// The sequence that an answer makes.
    func text(answer: Int) -> String {
        kind == .winogrande
            ? question + answers[answer] + continuation : question + " " + answers[answer]
    }
}

extension ChoiceQuestion {
    /// Reads a file of tasks.
    ///
    /// - Parameters:
    ///   - file: all of it.
    ///   - kind: which of the three layouts it has.
    /// - Returns: at least one question, in the file's order.
    /// - Throws: `FormatError` naming line or task.
    public static func questions(
        in file: UnsafeRawBufferPointer, kind: Kind
    ) throws(FormatError) -> [ChoiceQuestion] {
        let questions =
            switch kind {
            case .hellaSwag: try hellaSwag(lines(of: file))
            case .winogrande: try winogrande(lines(of: file))
            case .multipleChoice: try multipleChoice(file)
            }
        guard !questions.isEmpty else {
            throw FormatError(.missing, in: "tasks", at: 0, "the file holds none")
        }
        return questions
    }

    private struct Line {
        let number: Int
        let offset: Int
        let text: Substring

        func failure(_ code: FormatError.Code, _ detail: String) -> FormatError {
            FormatError(code, in: "line \(number)", at: offset, detail)
        }
    }

    private static func lines(of file: UnsafeRawBufferPointer) throws(FormatError) -> [Line] {
        var lines: [Line] = []
        var offset = 0
        for bytes in file.split(separator: 0x0A, omittingEmptySubsequences: false) {
            let content = bytes.last == 0x0D ? bytes.dropLast() : bytes
            guard let text = String(validating: content, as: UTF8.self) else {
                throw FormatError(
                    .malformed, in: "line \(lines.count + 1)", at: offset, "not UTF-8")
            }
            lines.append(Line(number: lines.count + 1, offset: offset, text: text[...]))
            offset += bytes.count + 1
        }
        if lines.last?.text.isEmpty == true { lines.removeLast() }
        return lines
    }

    private static func hellaSwag(_ lines: [Line]) throws(FormatError) -> [ChoiceQuestion] {
        guard lines.count.isMultiple(of: 6) else {
            throw FormatError(
                .truncated, in: "tasks", at: lines.last?.offset ?? 0,
                "\(lines.count) lines are no multiple of the six of a task")
        }
        var questions: [ChoiceQuestion] = []
        for start in stride(from: 0, to: lines.count, by: 6) {
            let label = lines[start + 1]
            guard let right = Int(label.text.filter { $0 != " " }), (0..<4).contains(right) else {
                throw label.failure(.malformed, "is no number of an ending, 0 to 3")
            }
            questions.append(
                ChoiceQuestion(
                    kind: .hellaSwag, question: String(lines[start].text),
                    answers: lines[start + 2..<start + 6].map { String($0.text) },
                    continuation: "", isRight: (0..<4).map { $0 == right }))
        }
        return questions
    }

    private static func winogrande(_ lines: [Line]) throws(FormatError) -> [ChoiceQuestion] {
        var questions: [ChoiceQuestion] = []
        for line in lines where !line.text.isEmpty {
            var fields: [Substring] = [line.text.prefix(0)]
            var isQuoted = false
            for index in line.text.indices {
                let character = line.text[index]
                if character == "\"" { isQuoted.toggle() }
                if character == ",", !isQuoted, fields.count < 5 {
                    fields.append(line.text[line.text.index(after: index)...].prefix(0))
                } else {
                    let last = fields.count - 1
                    fields[last] = line.text[fields[last].startIndex...index]
                }
            }
            guard fields.count == 5 else {
                throw line.failure(.malformed, "has \(fields.count) fields, not 5")
            }
            var sentence = fields[1]
            if sentence.first == "\"", sentence.last == "\"", sentence.count > 1 {
                sentence = sentence.dropFirst().dropLast()
            }
            guard let place = sentence.firstIndex(of: "_") else {
                throw line.failure(.missing, "has no '_' in its sentence")
            }
            guard let right = Int(fields[4].filter { $0 != " " }), (1...2).contains(right) else {
                throw line.failure(.malformed, "has no answer of 1 or 2")
            }
            questions.append(
                ChoiceQuestion(
                    kind: .winogrande, question: String(sentence[..<place]),
                    answers: [String(fields[2]), String(fields[3])],
                    continuation: String(sentence[sentence.index(after: place)...]),
                    isRight: [right == 1, right == 2]))
        }
        return questions
    }

    /// Answers that a task may have, as in llama.cpp.
    private static let maximumAnswerCount = 100

    private static func multipleChoice(
        _ file: UnsafeRawBufferPointer
    ) throws(FormatError) -> [ChoiceQuestion] {
        var reader = ByteReader(file, reading: "number of tasks")
        let claimed = try reader.integer(UInt32.self)
        guard let count = Int(exactly: claimed), count <= reader.remaining / 4 else {
            throw reader.failure(
                .limitExceeded, "claims \(claimed) tasks, \(reader.remaining) bytes remain")
        }
        var places: [UInt32] = []
        for _ in 0..<count { try places.append(reader.integer()) }
        var questions: [ChoiceQuestion] = []
        for (index, place) in places.enumerated() {
            reader.subject = "task \(index + 1)"
            guard reader.offset == Int(place) else {
                throw reader.failure(.misaligned, "stands elsewhere than at byte \(place)")
            }
            let question = try string(&reader)
            let (answers, labels) = try answers(&reader)
            _ = try Self.answers(&reader)
            guard !question.isEmpty, !answers.isEmpty, answers.allSatisfy({ !$0.isEmpty }) else {
                throw reader.failure(.missing, "has an empty question or answer")
            }
            questions.append(
                ChoiceQuestion(
                    kind: .multipleChoice, question: question, answers: answers,
                    continuation: "", isRight: labels.map { $0 == 1 }))
        }
        return questions
    }

    private static func string(_ reader: inout ByteReader) throws(FormatError) -> String {
        let length = Int(try reader.integer(UInt32.self))
        guard let text = String(validating: try reader.take(length), as: UTF8.self) else {
            throw reader.failure(.malformed, "not UTF-8")
        }
        return text
    }

    private static func answers(
        _ reader: inout ByteReader
    ) throws(FormatError) -> (texts: [String], labels: [Int32]) {
        let count = Int(try reader.integer(UInt32.self))
        guard count <= maximumAnswerCount else {
            throw reader.failure(
                .limitExceeded, "has \(count) answers, the limit is \(maximumAnswerCount)")
        }
        var texts: [String] = []
        var labels: [Int32] = []
        for _ in 0..<count { try texts.append(string(&reader)) }
        for _ in 0..<count { try labels.append(reader.integer()) }
        return (texts, labels)
    }
}
