/// A stretch of work that a person may wait for.
public struct Phase: Sendable, Hashable {
    /// What is being done, as a person would say it: `Quantizing`.
    public let name: String
    /// What the total counts: `tensors`, `windows`, `bytes`.
    public let unit: String

    public init(_ name: String, unit: String) {
        (self.name, self.unit) = (name, unit)
    }
}

/// Receives news of long work. The library never prints; whoever runs it decides what to show.
///
/// Calls are cheap, may come from any task, and never throw: reporting must not be able to
/// fail a conversion.
public protocol ProgressSink: Sendable {
    func begin(_ phase: Phase, total: Int)
    func advance(_ phase: Phase, by units: Int)
    func end(_ phase: Phase)
}

extension ProgressSink {
    /// Runs `body` as one phase that ends however `body` ends, so that no bar is left behind.
    public func phase<Result>(
        _ phase: Phase, total: Int, _ body: () throws -> Result
    ) rethrows -> Result {
        begin(phase, total: total)
        defer { end(phase) }
        return try body()
    }
}

/// Tells nobody.
public struct SilentProgress: ProgressSink {
    public init() {}
    public func begin(_ phase: Phase, total: Int) {}
    public func advance(_ phase: Phase, by units: Int) {}
    public func end(_ phase: Phase) {}
}
