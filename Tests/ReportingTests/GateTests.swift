import Evaluation
import Reporting
import Testing

private let interval = ConfidenceInterval(lower: 0.9, upper: 1.1)

@Test(arguments: [
    (Gate("max-kld", "figure", 1, interval, .atMost, 0.95), true, true),
    (Gate("max-kld", "figure", 1, interval, .atMost, 0.89), false, false),
    (Gate("max-kld", "figure", 1, interval, .atMost, 1), true, false),
    (Gate("min-top1", "figure", 1, interval, .atLeast, 1.05), true, true),
    (Gate("min-top1", "figure", 1, interval, .atLeast, 1.11), false, false),
    (Gate("max-bytes", "size", 10, nil, .atMost, 10), true, false),
    (Gate("max-bytes", "size", 11, nil, .atMost, 10), false, false),
    (Gate("max-kld", "figure", .nan, nil, .atMost, 1), false, false),
    (Gate("max-kld", "figure", .infinity, nil, .atLeast, 1), false, false),
]) func aGateFailsWhereAllOfTheIntervalLiesBeyondTheBound(
    gate: Gate, passes: Bool, isWithinError: Bool
) {
    #expect(gate.isPassed == passes)
    #expect(gate.isWithinError == isWithinError)
}

@Test func aGateSaysItsIntervalAndItsBound() {
    let gate = Gate("max-kld", "mean KL divergence", 1, interval, .atMost, 0.95, decimals: 2)
    #expect(
        gate.description
            == "mean KL divergence is 1.00 (95 %: 0.90 to 1.10), must be at most 0.95; "
            + "too few windows to tell")
}
