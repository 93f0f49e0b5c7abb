/// The multiple-choice knapsack problem: one option of every item, the smallest sum of losses, a sum of
/// sizes within a budget.
///
/// Solved by dynamic programming over sizes, which is exact. Sizes count in their greatest common divisor;
/// models have few shapes, so that is large. Where it would still make more than `stateLimit` steps, sizes
/// are rounded up to larger steps: the result is then no worse than the best for a budget that is smaller by
/// one step for each item and one more, which is `(items + 1) / stateLimit` of the span between the budget
/// and the smallest file.
enum Knapsack {
    struct Option {
        let size: Int
        let loss: Double
    }

    static let stateLimit = 1 << 18

    /// - Parameters:
    ///   - items: each with at least one option, the smallest first.
    ///   - budget: at least the sum of the smallest sizes.
    ///   - floor: choices whose sizes sum up to less are made only where no others are possible.
    ///   - stateLimit: steps that sizes are counted in.
    /// - Returns: which option of each item.
    static func solve(
        _ items: [[Option]], budget: Int, floor: Int = 0, stateLimit: Int = stateLimit
    ) -> [Int] {
        let smallest = items.reduce(0) { $0 + $1[0].size }
        let spare = budget - smallest
        precondition(spare >= 0 && items.allSatisfy { $0.count <= 256 })
        let extras = items.map { options in options.map { $0.size - options[0].size } }
        let largest = extras.reduce(0) { $0 + ($1.last ?? 0) }
        let divisor = max(1, extras.joined().reduce(0, greatestCommonDivisor))
        let step = max(divisor, (min(spare, largest) + stateLimit - 1) / stateLimit)
        let steps = extras.map { extras in extras.map { ($0 + step - 1) / step } }
        let capacity = min(spare / step, steps.reduce(0) { $0 + ($1.last ?? 0) })

        // losses[u]: the smallest sum of the items so far whose extra sizes are u steps together.
        var losses = [Double](repeating: .infinity, count: capacity + 1)
        losses[0] = 0
        var choices: [[UInt8]] = []
        for (options, steps) in zip(items, steps) {
            var next = [Double](repeating: .infinity, count: capacity + 1)
            var choice = [UInt8](repeating: 0, count: capacity + 1)
            for (index, (option, steps)) in zip(options, steps).enumerated()
            where steps <= capacity {
                for used in steps...capacity {
                    let loss = losses[used - steps] + option.loss
                    if loss < next[used] {
                        next[used] = loss
                        choice[used] = UInt8(index)
                    }
                }
            }
            losses = next
            choices.append(choice)
        }
        let lowest = max(0, floor - smallest + step - 1) / step
        let wanted = (lowest..<max(lowest, capacity + 1)).filter { losses[$0] < .infinity }
        var used =
            (wanted.isEmpty ? Array(losses.indices) : wanted).min { losses[$0] < losses[$1] } ?? 0
        var result = [Int](repeating: 0, count: items.count)
        for item in items.indices.reversed() {
            result[item] = Int(choices[item][used])
            used -= steps[item][result[item]]
        }
        return result
    }

    private static func greatestCommonDivisor(_ first: Int, _ second: Int) -> Int {
        var (first, second) = (first, second)
        while second != 0 { (first, second) = (second, first % second) }
        return first
    }
}
