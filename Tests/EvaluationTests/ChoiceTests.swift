import ByteIO
import Evaluation
import Kernels
import TestSupport
import Testing

private func questions(
    _ text: String, _ kind: ChoiceQuestion.Kind
) throws -> [ChoiceQuestion] {
    try questions(Array(text.utf8), kind)
}

private func questions(
    _ bytes: [UInt8], _ kind: ChoiceQuestion.Kind
) throws -> [ChoiceQuestion] {
    try bytes.withUnsafeBytes { try ChoiceQuestion.questions(in: $0, kind: kind) }
}

private let hellaSwag = "the boy\n2\nruns.\nsits.\nlifts it.\nsleeps.\n"
private let winogrande =
    "0,Sarah was better than Maria so _ got the easier cases.,Sarah,Maria,2\r\n"
    + "1,\"It fits, for _ is small, and light.\",trophy,suitcase,1\n"

/// A file of one task by its layout.
private func multipleChoice(
    question: String = "2 + 2 is", answers: [String] = ["3", "4"], labels: [Int32] = [0, 1],
    place: UInt32 = 8
) -> [UInt8] {
    var bytes: [UInt8] = []
    func add(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }
    func add(_ text: String) {
        add(UInt32(text.utf8.count))
        bytes += text.utf8
    }
    add(UInt32(1))
    add(place)
    add(question)
    add(UInt32(answers.count))
    answers.forEach(add)
    labels.forEach(add)
    add(UInt32(0))
    return bytes
}

@Test func hellaSwagHasSixLinesForEachTask() throws {
    let found = try questions(hellaSwag + hellaSwag, .hellaSwag)
    #expect(found.count == 2)
    #expect(found[0].question == "the boy")
    #expect(found[0].answers == ["runs.", "sits.", "lifts it.", "sleeps."])
    #expect(found[0].isRight == [false, false, true, false])
}

@Test func winograndeReadsQuotesAndPlaces() throws {
    let found = try questions(winogrande, .winogrande)
    #expect(found.count == 2)
    #expect(found[0].question == "Sarah was better than Maria so ")
    #expect(found[0].continuation == " got the easier cases.")
    #expect(found[0].answers == ["Sarah", "Maria"] && found[0].isRight == [false, true])
    #expect(found[1].question == "It fits, for ")
    #expect(found[1].continuation == " is small, and light.")
}

@Test func multipleChoiceReadsItsLayout() throws {
    let found = try questions(multipleChoice(), .multipleChoice)
    #expect(found.count == 1)
    #expect(found[0].question == "2 + 2 is" && found[0].answers == ["3", "4"])
    #expect(found[0].isRight == [false, true])
}

@Test(arguments: [
    ("a\nb\nc\n", ChoiceQuestion.Kind.hellaSwag, FormatError.Code.truncated),
    ("a\n4\nb\nc\nd\ne\n", .hellaSwag, .malformed), ("", .hellaSwag, .missing),
    ("0,no place,a,b,1\n", .winogrande, .missing), ("0,a _,a,b,3\n", .winogrande, .malformed),
    ("0,a _,a\n", .winogrande, .malformed), ("", .winogrande, .missing),
]) func refusesTextThatHoldsNoTasks(
    text: String, kind: ChoiceQuestion.Kind, code: FormatError.Code
) {
    do {
        _ = try questions(text, kind)
        Issue.record("accepted '\(text)'")
    } catch {
        #expect((error as? FormatError)?.code == code)
    }
}

@Test func refusesEveryTruncationOfATaskFile() {
    let whole = multipleChoice()
    for count in whole.indices {
        #expect(throws: FormatError.self) {
            try questions(Array(whole.prefix(count)), .multipleChoice)
        }
    }
    #expect(throws: FormatError.self) { try questions(multipleChoice(place: 9), .multipleChoice) }
    #expect(throws: FormatError.self) {
        try questions(multipleChoice(answers: ["3", ""]), .multipleChoice)
    }
    #expect(throws: FormatError.self) {
        try questions([0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], .multipleChoice)
    }
}

/// One token for each byte, behind a BOS of 0.
private func encode(_ text: String) -> [Int32] { [0] + text.utf8.map(Int32.init) }

@Test func whatAllAnswersBeginWithIsNotScored() throws {
    let question = try questions("q\n0\nab\nac\nabd\nx\n", .hellaSwag)[0]
    let task = try ChoiceTask(question, encode: encode)
    // BOS, "q", " " are common.
    #expect(task.scored == [3..<5, 3..<5, 3..<6, 3..<4])
}

@Test func anAnswerThatAnotherBeginsWithKeepsATokenToScore() throws {
    let question = try questions("q\n0\na\na\nab\nabc\n", .hellaSwag)[0]
    let task = try ChoiceTask(question, encode: encode)
    #expect(task.scored == [3..<4, 3..<4, 3..<5, 3..<6])
}

@Test func winograndeLeavesOutTheChoiceAndTheLastToken() throws {
    let question = try questions("0,a _ bcd.,xy,z,1\n", .winogrande)[0]
    let task = try ChoiceTask(question, encode: encode)
    // "a xy bcd." behind BOS: the choice ends at 5, the text at 10; "a z bcd." likewise at 4 and 9.
    #expect(task.scored == [5..<9, 4..<8])
    #expect(task.lastOfEqualsWins)
}

@Test func aShortEndMakesTheChoiceCount() throws {
    let question = try questions("0,a _.,x,y,1\n", .winogrande)[0]
    let task = try ChoiceTask(question, encode: encode)
    #expect(task.scored == [3..<4, 3..<4])
}

/// The next token is the larger the likelier.
private let rising = FixedModel(row: (0..<256).map { Float($0) / 16 })

@Test func theLikeliestAnswerByTokenWins() throws {
    // By their sums "zzzz" would lose against "z": its mean is the same, and the first of equals wins.
    let tasks = try questions(
        "q\n1\nb\nz\nzzzz\nc\n" + "q\n0\nb\nz\nc\nd\n" + "q\n3\naa\nbb\ncc\ndd\n", .hellaSwag
    ).map { try ChoiceTask($0, encode: encode) }
    for threads in [1, 3] {
        let evaluator = try Evaluator(model: rising, workers: Workers(threadCount: threads))
        #expect(try evaluator.answer(tasks) == ChoiceResult(taskCount: 3, rightCount: 2))
    }
}

/// What llama.cpp computes for so many tasks; for 0 of 10 the closed form is z² / (n + z²).
@Test(arguments: [(10, 0, 0, 0.277533), (400, 200, 0.451235, 0.548765), (20, 20, 0.838875, 1)])
func intervalsAreWilsons(tasks: Int, right: Int, lower: Double, upper: Double) {
    let interval = ChoiceResult(taskCount: tasks, rightCount: right).interval
    #expect(abs(interval.lower - lower) < 1e-6)
    #expect(abs(interval.upper - upper) < 1e-6)
}
