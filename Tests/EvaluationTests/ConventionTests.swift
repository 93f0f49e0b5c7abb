import Evaluation
import Testing

private func ids(_ count: Int) -> [Int32] { (0..<count).map(Int32.init) }

@Test func halfWindowsScoreWhatLlamaCppScores() throws {
    let windows = try Convention.halfWindow(context: 512).windows(
        of: ids(155_348), beginningOfText: nil, limit: 48)
    #expect(windows.count == 48)
    #expect(windows.allSatisfy { $0.scored == 256..<511 && $0.ids.count == 512 })
    #expect(windows.reduce(0) { $0 + $1.scored.count } == 12_240)
    #expect(windows[3].ids[0] == 1536)
}

@Test func beginningOfTextReplacesTheFirstTokenOfEachHalfWindow() throws {
    let windows = try Convention.halfWindow(context: 8).windows(
        of: ids(24), beginningOfText: 99)
    #expect(windows.map(\.ids[0]) == [99, 99, 99])
    #expect(windows.map(\.ids[1]) == [1, 9, 17])
}

@Test func halfWindowsLeaveOutWhatDoesNotFillOne() throws {
    let windows = try Convention.halfWindow(context: 8).windows(of: ids(23), beginningOfText: nil)
    #expect(windows.count == 2)
}

@Test(arguments: [(8, 1), (8, 3), (8, 4), (8, 8), (16, 5)], [16, 17, 40, 41])
func stridedWindowsScoreEachTokenOnce(sizes: (context: Int, stride: Int), count: Int) throws {
    let convention = Convention.strided(context: sizes.context, stride: sizes.stride)
    let windows = try convention.windows(of: ids(count), beginningOfText: nil)
    let scored = windows.flatMap { window in window.scored.map { window.ids[$0 + 1] } }
    #expect(scored == Array(ids(count).dropFirst()))
    #expect(windows.allSatisfy { $0.ids.count <= sizes.context })
}

@Test func stridedWindowsGiveAsMuchContextAsTheStrideLeaves() throws {
    let windows = try Convention.strided(context: 8, stride: 3).windows(
        of: ids(20), beginningOfText: 99)
    #expect(windows[0].scored == 0..<7)
    #expect(windows[1].scored == 4..<7)
    #expect(windows[0].ids[0] == 0)
}

@Test(arguments: [Convention.halfWindow(context: 8), .strided(context: 8, stride: 4)])
func refusesATextShorterThanOneWindow(convention: Convention) {
    #expect(throws: EvaluationError.textTooShort(tokenCount: 7, context: 8)) {
        try convention.windows(of: ids(7), beginningOfText: nil)
    }
}

@Test func everyConventionHasItsNameAndItsNumbers() {
    #expect("\(Convention.halfWindow(context: 512))" == "half-window of 512, as llama.cpp")
    #expect(
        "\(Convention.strided(context: 512, stride: 128))"
            == "strided by 128 in windows of 512, as Hugging Face")
}

/// Windows that overlap are one block, so that no two blocks have scored tokens in common, nor more context
/// than half-windows have.
@Test(arguments: [(8, 8, 1), (8, 4, 2), (8, 3, 3), (512, 128, 4)])
func overlappingWindowsAreOneBlock(context: Int, stride: Int, windowsPerBlock: Int) {
    let convention = Convention.strided(context: context, stride: stride)
    #expect(convention.windowsPerBlock == windowsPerBlock)
    #expect(Convention.halfWindow(context: context).windowsPerBlock == 1)
}

@Test func intervalsTakeTwoBlocks() throws {
    let plan = EvaluationPlan(convention: .strided(context: 8, stride: 4))
    #expect(throws: EvaluationError.tooFewBlocks(windowCount: 2, needed: 3)) {
        try plan.checkInterval(ids: ids(12), beginningOfText: nil)
    }
    try plan.checkInterval(ids: ids(13), beginningOfText: nil)
}
