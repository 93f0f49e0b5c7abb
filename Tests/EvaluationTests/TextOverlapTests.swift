import Evaluation
import Testing

private func words(_ range: Range<Int>) -> [String] { range.map { "word\($0)" } }

private func overlap(_ evaluation: String, _ calibration: String) -> TextOverlap {
    TextOverlap(evaluation: Array(evaluation.utf8), calibration: Array(calibration.utf8))
}

@Test func aTextSharesAllOfItselfWithItself() {
    let text = words(0..<40).joined(separator: " ")
    let found = overlap(text, text)
    #expect(found.wordCount == 40 && found.sharedWordCount == 40 && found.longestSharedRun == 40)
    #expect(found.share == 1)
}

@Test func runsOfThirteenWordsAreSharedAndShorterOnesAreNot() {
    let text = words(0..<40).joined(separator: " ")
    let calibration = (words(5..<18) + ["other"] + words(25..<37)).joined(separator: " ")
    let found = overlap(text, calibration)
    #expect(found.sharedWordCount == 13)
    #expect(found.longestSharedRun == 13)
}

@Test func runsThatTouchAreOneStretchAndRunsApartAreNot() {
    let text = words(0..<60).joined(separator: " ")
    let calibration = (words(0..<15) + ["a"] + words(15..<30) + ["b"] + words(40..<55))
        .joined(separator: " ")
    let found = overlap(text, calibration)
    #expect(found.sharedWordCount == 45)
    #expect(found.longestSharedRun == 30)
}

@Test func caseAndPunctuationDoNotMatter() {
    let words = words(0..<13)
    let found = overlap(
        words.joined(separator: " "), words.map { $0.uppercased() }.joined(separator: ",\n— "))
    #expect(found.share == 1)
}

@Test func ideographsAreWords() {
    let text = "天地玄黃宇宙洪荒日月盈昃辰宿列張"
    #expect(overlap(text, text).wordCount == 16)
    #expect(overlap(text, "天地玄黃宇宙洪荒日月盈昃辰").sharedWordCount == 13)
}

@Test(arguments: ["", "short", "\u{FFFD}\u{0}"]) func textsWithoutARunShareNothing(text: String) {
    #expect(overlap(text, text).sharedWordCount == 0)
    #expect(overlap(text, text).share == 0)
}
