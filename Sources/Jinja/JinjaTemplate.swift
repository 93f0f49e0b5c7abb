import OrderedCollections

/// A template in the part of Jinja that chat templates are written in.
///
///     let template = try JinjaTemplate("{% for m in messages %}{{ m.content | trim }}\n{% endfor %}")
///     try template.render(["messages": .list([.dictionary(["content": .string(" Hello ")])])])
///
/// Rendering gives what the `jinja2` package gives with the settings of transformers (`trim_blocks`,
/// `lstrip_blocks`, loop controls, JSON without escapes beyond ASCII). What is not supported is an
/// error that names it, at the place where it is met: unknown statements when the template is read,
/// unknown filters, tests and methods when they are used.
public struct JinjaTemplate: Sendable {
    private let nodes: [Node]

    /// Reads a template.
    /// - Throws: `JinjaError` for what is not Jinja, or a statement that is not supported.
    public init(_ source: String) throws(JinjaError) {
        nodes = try TemplateParser.nodes(of: source)
    }

    /// Renders the template.
    /// - Parameter variables: what its names stand for.
    /// - Returns: the text.
    /// - Throws: `JinjaError` where the template fails, refuses, or uses something unsupported.
    public func render(
        _ variables: OrderedDictionary<String, JinjaValue>
    ) throws(JinjaError) -> String {
        try Interpreter(variables).render(nodes)
    }
}
