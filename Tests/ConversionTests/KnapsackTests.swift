import TestSupport
import Testing

@testable import Conversion

/// The best by trying everything.
private func exhaustive(_ items: [[Knapsack.Option]], budget: Int, floor: Int = 0) -> Double {
    guard let first = items.first else { return floor <= 0 ? 0 : .infinity }
    return first.filter { $0.size <= budget }.map { option in
        let rest = Array(items.dropFirst())
        return option.loss
            + exhaustive(rest, budget: budget - option.size, floor: floor - option.size)
    }.min() ?? .infinity
}

private func randomItems(
    _ generator: inout SeededGenerator, count: Int, unit: Int
) -> [[Knapsack.Option]] {
    (0..<count).map { _ in
        var (size, loss) = (Int.random(in: 1...20, using: &generator), 100.0)
        return (0..<Int.random(in: 1...4, using: &generator)).map { _ in
            size += Int.random(in: 1...30, using: &generator)
            loss *= Double.random(in: 0.1...0.9, using: &generator)
            return Knapsack.Option(size: size * unit, loss: loss)
        }
    }
}

@Test(arguments: 1...20) func noOtherChoiceLosesLess(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let items = randomItems(&generator, count: 6, unit: 32)
    let smallest = items.reduce(0) { $0 + $1[0].size }
    for extra in stride(from: 0, to: 6000, by: 500) {
        let choices = Knapsack.solve(items, budget: smallest + extra)
        let size = zip(items, choices).reduce(0) { $0 + $1.0[$1.1].size }
        let loss = zip(items, choices).reduce(0) { $0 + $1.0[$1.1].loss }
        #expect(size <= smallest + extra)
        let best = exhaustive(items, budget: smallest + extra)
        // The same terms, added in another order.
        #expect((loss - best).magnitude <= 1e-12 * best)
    }
}

@Test(arguments: 1...20) func noOtherChoiceThatUsesTheBudgetLosesLess(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let items = randomItems(&generator, count: 6, unit: 32)
    let smallest = items.reduce(0) { $0 + $1[0].size }
    for extra in stride(from: 0, to: 9000, by: 500) {
        let (budget, floor) = (smallest + extra, smallest + extra - 40)
        let choices = Knapsack.solve(items, budget: budget, floor: floor)
        let size = zip(items, choices).reduce(0) { $0 + $1.0[$1.1].size }
        let loss = zip(items, choices).reduce(0) { $0 + $1.0[$1.1].loss }
        #expect(size <= budget)
        let best = exhaustive(items, budget: budget, floor: floor)
        if best < .infinity {
            #expect(size >= floor && (loss - best).magnitude <= 1e-12 * best)
        } else {
            #expect((loss - exhaustive(items, budget: budget)).magnitude <= 1e-12 * loss)
        }
    }
}

@Test(arguments: 1...10) func fewerStatesCostNoMoreThanASmallerBudgetWould(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let items = randomItems(&generator, count: 6, unit: 1)
    let smallest = items.reduce(0) { $0 + $1[0].size }
    let (spare, states) = (120, 40)
    let choices = Knapsack.solve(items, budget: smallest + spare, stateLimit: states)
    #expect(zip(items, choices).reduce(0) { $0 + $1.0[$1.1].size } <= smallest + spare)
    let loss = zip(items, choices).reduce(0) { $0 + $1.0[$1.1].loss }
    let step = spare / states
    #expect(loss <= exhaustive(items, budget: smallest + spare - (items.count + 1) * step) + 1e-9)
}
