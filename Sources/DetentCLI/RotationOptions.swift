import ArgumentParser

/// Whether the model is turned before it is quantized.
struct RotationOptions: ParsableArguments {
    @Flag(
        help: """
            Turn the residual stream by a random orthogonal matrix first, which leaves what the model \
            computes as it is and its weights without outstanding channels. A tied embedding gets an \
            output matrix beside it.
            """)
    var rotate = false

    @Option(help: ArgumentHelp("The matrix for --rotate (default: 0).", valueName: "n"))
    var rotationSeed: UInt64?

    /// Nil for a model that stays as it is.
    var seed: UInt64? { rotate ? rotationSeed ?? 0 : nil }

    func check(imatrix: String?) throws {
        if rotate, imatrix != nil {
            throw ValidationError(
                "'--imatrix' was collected on the model as it is, '--rotate' changes its inputs; use "
                    + "'--calibration'.")
        }
        if rotationSeed != nil, !rotate {
            throw ValidationError("'--rotation-seed' is for '--rotate'.")
        }
    }
}
