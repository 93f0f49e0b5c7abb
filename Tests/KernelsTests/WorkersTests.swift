import Testing

@testable import Kernels

@Suite struct WorkersTests {
    private struct Failure: Error, Equatable { let number: Int }

    @Test(arguments: [1, 2]) func whatRunsBesideHasEnded(threadCount: Int) throws {
        let place = Matrix(rows: 1, columns: 1)
        let result = try Workers(threadCount: threadCount).run {
            7
        } beside: {
            place[0, 0] = 3
        }
        #expect(result == 7 && place[0, 0] == 3)
    }

    @Test(arguments: [1, 2]) func theErrorOfTheBodyGoesBeforeThatOfWhatRunsBeside(
        threadCount: Int
    ) {
        let workers = Workers(threadCount: threadCount)
        #expect(throws: Failure(number: 1)) {
            try workers.run {
                throw Failure(number: 1)
            } beside: {
                throw Failure(number: 2)
            }
        }
        #expect(throws: Failure(number: 2)) {
            try workers.run {
            } beside: {
                throw Failure(number: 2)
            }
        }
    }
}
