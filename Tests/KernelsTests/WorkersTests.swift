import Synchronization
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

    @Test(arguments: [1, 2, 3, 8]) func everyItemIsDoneOnce(threadCount: Int) {
        let workers = Workers(threadCount: threadCount)
        // Often, and with pauses in between that let the helpers fall asleep or not.
        for round in 0..<2000 {
            let count = 1 + round % 7
            let done = Atomic<Int>(0)
            workers.forEach(count) { done.wrappingAdd(1 << (8 * $0), ordering: .relaxed) }
            let expected = (0..<count).reduce(0) { $0 + 1 << (8 * $1) }
            #expect(done.load(ordering: .relaxed) == expected)
        }
    }

    @Test func workInsideOfWorkAndBesideItIsDone() async {
        let sum = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let sum = Atomic<Int>(0)
                    for _ in 0..<50 {
                        Workers(threadCount: 2).forEach(4) { outer in
                            Workers(threadCount: 2).forEach(3) { inner in
                                sum.wrappingAdd(outer * inner, ordering: .relaxed)
                            }
                        }
                    }
                    return sum.load(ordering: .relaxed)
                }
            }
            return await group.reduce(0, +)
        }
        #expect(sum == 8 * 50 * 6 * 3)
    }

    @Test(arguments: [1, 2, 4]) func theErrorOfTheLowestItemIsThrown(threadCount: Int) {
        for _ in 0..<200 {
            #expect(throws: Failure(number: 3)) {
                try Workers(threadCount: threadCount).forEach(5) { item in
                    if item == 3 { throw Failure(number: item) }
                }
            }
        }
    }
}
