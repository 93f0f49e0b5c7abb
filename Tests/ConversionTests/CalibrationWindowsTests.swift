import Testing

@testable import Conversion

/// Windows of random tokens beside those of a text.
@Suite struct CalibrationWindowsTests {
    @Test func randomWindowsAreAsLongAsTheTextsAndAlwaysTheSame() {
        let text = Array(repeating: [Int32](5...8), count: 3)
        let windows = CalibrationWindows.random(50, like: text, vocabularySize: 9)
        #expect(windows.count == 50)
        #expect(windows.allSatisfy { $0.count == 4 })
        #expect(windows.joined().allSatisfy { (0..<9).contains($0) })
        #expect(windows == CalibrationWindows.random(50, like: text, vocabularySize: 9))
        #expect(Set(windows.flatMap { $0.dropFirst() }) == Set(0..<9))
    }

    @Test func randomWindowsOpenAsTheTextsDoWhereTheseOpenAlike() {
        let alike = CalibrationWindows.random(9, like: [[1, 2], [1, 3]], vocabularySize: 90)
        #expect(alike.allSatisfy { $0[0] == 1 })
        let unlike = CalibrationWindows.random(9, like: [[1, 2], [2, 3]], vocabularySize: 90)
        #expect(Set(unlike.map { $0[0] }).count > 2)
    }

    @Test(arguments: [(0, 0), (7, 0), (8, 1), (23, 1), (24, 2), (128, 8)])
    func oneForSixteenUnlessToldOtherwise(text: Int, random: Int) {
        var recipe = Recipe()
        recipe.calibrationWindows = [[Int32]](repeating: [0], count: text)
        #expect(recipe.decidedRandomWindowCount == random)
        recipe.randomWindowCount = 3
        #expect(recipe.decidedRandomWindowCount == 3)
    }
}
