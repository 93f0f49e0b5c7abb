/// What a tag computes. Chains of one operator are lists, so that a long one is not a deep one.
indirect enum Expression: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case list([Expression])
    case dictionary([(key: Expression, value: Expression)])
    case name(String)
    case attribute(Expression, String)
    case item(Expression, Expression)
    case slice(Expression, from: Expression?, to: Expression?, by: Expression?)
    case call(Expression, Arguments)
    case filter(Expression, String, Arguments)
    case test(Expression, String, Arguments)
    case not(Expression)
    case and([Expression])
    case or([Expression])
    case comparison(Expression, [(symbol: String, operand: Expression)])
    case arithmetic(Expression, [(symbol: String, operand: Expression)])
    case negation(Expression)
    case conditional(condition: Expression, then: Expression, otherwise: Expression?)
}

/// What stands in the parentheses of a call.
struct Arguments: Sendable {
    var positional: [Expression] = []
    var named: [(name: String, value: Expression)] = []
}

/// A part of a template.
struct Node: Sendable {
    indirect enum Kind: Sendable {
        case text(String)
        case output(Expression)
        case condition([(condition: Expression, body: [Node])], otherwise: [Node])
        case loop(Loop)
        case set([Target], Expression)
        case setBlock(Target, [Node])
        case macro(Macro)
        case skip
        case leave
    }

    let kind: Kind
    let line: Int
}

/// `for targets in iterated if condition`
struct Loop: Sendable {
    let targets: [String]
    let iterated: Expression
    let condition: Expression?
    let body: [Node]
    /// Where there was nothing to iterate.
    let otherwise: [Node]
}

/// What `set` sets.
enum Target: Sendable, Hashable {
    case name(String)
    /// Of a namespace.
    case attribute(String, String)
}

/// Template text with a name and parameters.
struct Macro: Sendable {
    let name: String
    let parameters: [(name: String, standard: Expression?)]
    let body: [Node]
}
