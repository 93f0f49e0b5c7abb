import Jinja
import OrderedCollections
import TensorIR
import Tokenization

/// One turn of a conversation.
public struct ChatMessage: Sendable, Hashable {
    /// `system`, `user`, `assistant`, or what else the template knows.
    public var role: String
    public var content: String

    public init(role: String, _ content: String) { (self.role, self.content) = (role, content) }
}

/// The form that a model was tuned to converse in, as its chat template says.
///
///     let format = try ChatFormat(tokenizer)
///     let text = try format.prompt([ChatMessage(role: "user", "Hello")])
///     let ids = try tokenizer.encode(text, addSpecial: false)
///
/// The text has its special tokens spelled out, the beginning-of-sequence token too where the template
/// wants one: encoding must not add another.
public struct ChatFormat: Sendable {
    private let template: JinjaTemplate
    /// `bos_token` and its like, as templates know them.
    private let tokens: OrderedDictionary<String, String>

    /// Reads the template of a tokenizer, the first where there are several.
    ///
    /// - Throws: `ModelError` where there is none, or it has statements that are not supported.
    public init(_ tokenizer: Tokenizer) throws(ModelError) {
        guard let source = tokenizer.definition.chatTemplates.first else {
            throw ModelError("the model has no chat template")
        }
        do throws(JinjaError) {
            template = try JinjaTemplate(source.text)
        } catch {
            throw ModelError("chat template, \(error)")
        }
        var tokens: OrderedDictionary<String, String> = [:]
        for role in SpecialTokenRole.allCases {
            guard let id = tokenizer.definition.specialTokens[role] else { continue }
            tokens["\(role.rawValue)_token"] = tokenizer.decode(CollectionOfOne(id))
        }
        self.tokens = tokens
    }

    /// The text of a conversation, up to where the model's answer begins.
    ///
    /// - Parameters:
    ///   - messages: the turns so far.
    ///   - date: what `strftime_now` gives for a format, for templates that state the date.
    /// - Returns: text with special tokens in it.
    /// - Throws: `ModelError` where the template refuses the conversation, or uses something that is not
    ///   supported.
    public func prompt(
        _ messages: [ChatMessage], date: @escaping @Sendable (_ format: String) -> String
    ) throws(ModelError) -> String {
        var variables = tokens.mapValues(JinjaValue.string)
        variables["messages"] = .list(
            messages.map {
                .dictionary(["role": .string($0.role), "content": .string($0.content)])
            })
        variables["add_generation_prompt"] = .bool(true)
        variables["tools"] = JinjaValue.none
        variables["documents"] = JinjaValue.none
        variables["strftime_now"] = .function(JinjaFunction("strftime_now", ofString: date))
        do throws(JinjaError) {
            return try template.render(variables)
        } catch {
            throw ModelError("chat template, \(error)")
        }
    }
}
