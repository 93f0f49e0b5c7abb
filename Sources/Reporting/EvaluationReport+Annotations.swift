extension EvaluationReport {
    /// Failed gates as workflow commands of GitHub Actions, which shows them beside the job and on the pull
    /// request; empty where all passed.
    public var annotationText: String {
        failedGates.map { gate in
            "::error title=\("evalppl \(gate.name)".escapedForWorkflowCommand(isProperty: true))::"
                + "\("\(model.path): \(gate)".escapedForWorkflowCommand(isProperty: false))\n"
        }.joined()
    }
}

extension String {
    /// A workflow command ends with its line, and its properties with a comma or a colon; all are spelled as
    /// in a URL.
    func escapedForWorkflowCommand(isProperty: Bool) -> String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "%": result += "%25"
            case "\r": result += "%0D"
            case "\n": result += "%0A"
            case ":" where isProperty: result += "%3A"
            case "," where isProperty: result += "%2C"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
