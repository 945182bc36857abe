// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Who is who, by random names and keys
/// @notice Three kinds of names: gateways, actors (people, organizations, devices), and the memberships of actors in
/// organizations; patients stand with their consents. A registrar's enroller opens entries; from then on only the key of
/// the one concerned changes who holds that entry. Nothing here names a person: every id is 32 random bytes.
/// @dev A signer is an ERC-7913 signer: a 20-byte address (wallet, or contract wallet by ERC-1271), or an allowed
/// verifier contract followed by a key. What already stands as asked is success without an event, so a copied or
/// repeated transaction harms nobody. EIP-712 domain: name "Consentry", version "1", this chain, this contract.
interface IIdentityRegistry {
    // Registrars and signers

    /// @notice The admin let an enroller in or out.
    event EnrollerSet(address indexed enroller, bool enrolling);
    /// @notice The admin allowed a verifier contract; it stays allowed.
    event VerifierAllowed(address indexed verifier);

    /// @notice The caller enrols for no registrar.
    error NotEnroller(address caller);
    /// @notice No contract stands at this verifier's address.
    error InvalidVerifier(address verifier);
    /// @notice Neither a nonzero 20-byte address nor an allowed verifier with a key of at most 1,024 bytes in all.
    error InvalidSigner(bytes signer);
    /// @notice The one who has to sign `digest` has not.
    error NotSigned(bytes32 digest);

    /// @notice Lets an enroller in or out. Admin (the owner) only.
    function setEnroller(address enroller, bool enrolling) external;

    /// @notice Adds an ERC-7913 verifier contract for good. Admin only. It gives power over nobody's existing key: a
    /// verifier speaks only for signers that name it.
    function allowVerifier(address verifier) external;

    /// @notice Whether this account may enrol for a registrar.
    function isEnroller(address account) external view returns (bool);

    /// @notice Whether signers may name this ERC-7913 verifier.
    function isVerifier(address verifier) external view returns (bool);

    /// @notice Whether these bytes may be somebody's key: see `InvalidSigner`.
    function isSigner(bytes calldata signer) external view returns (bool);

    /// @notice The one verdict on a signature, for this contract, the consent registry and gateways (by `eth_call`).
    /// An account's signature is 65 bytes, low-s, v 27 or 28; a contract's is its ERC-1271 answer, and so an account's
    /// that delegates to code by EIP-7702; a verifier's is its own (P-256 and passkeys: low-s too).
    function validSignature(bytes calldata signer, bytes32 digest, bytes calldata signature)
        external
        view
        returns (bool);

    // Gateways

    /// @notice A gateway was registered with the key that signs its receipts.
    event GatewayRegistered(bytes32 indexed gateway, address indexed owner, bytes32 salt, bytes receiptKey);
    /// @notice A gateway's receipts are signed by another key from this block on.
    event ReceiptKeyChanged(bytes32 indexed gateway, bytes receiptKey);

    /// @notice The owner registered this gateway before, with another key.
    error GatewayTaken(bytes32 gateway);
    /// @notice The caller does not own the gateway, or there is none.
    error NotGatewayOwner(bytes32 gateway, address caller);
    /// @notice A receipt key is 1 to 1,024 bytes.
    error InvalidReceiptKey(bytes32 gateway);
    /// @notice A receipt key that was replaced never comes back.
    error ReceiptKeyRetired(bytes32 gateway, bytes32 keyHash);

    /// @notice Registers a gateway. Its id is keccak256(abi.encode(caller, salt)), so nobody can squat it.
    function registerGateway(bytes32 salt, bytes calldata receiptKey) external returns (bytes32 gateway);

    /// @notice Replaces the key that signs a gateway's receipts. Its owner only.
    function setReceiptKey(bytes32 gateway, bytes calldata receiptKey) external;

    /// @notice The account that registered the gateway; zero for an unknown one.
    function gatewayOwner(bytes32 gateway) external view returns (address);

    /// @notice The block in which the key with this keccak256 became the gateway's receipt key; zero if it never did.
    function receiptKeySince(bytes32 gateway, bytes32 keyHash) external view returns (uint64 blockNumber);

    /// @notice The block in which that key was replaced; zero while it is current, or if it never was. A receipt
    /// dated in a later block is not to be believed.
    function receiptKeyUntil(bytes32 gateway, bytes32 keyHash) external view returns (uint64 blockNumber);

    // Actors

    /// @notice An actor was registered; its epoch is 0.
    event ActorRegistered(
        bytes32 indexed actor,
        address indexed enroller,
        bytes key,
        uint32 roles,
        bytes32 profileDigest,
        bytes encryptionKey
    );
    /// @notice An actor's key was replaced.
    event KeyRotated(bytes32 indexed actor, bytes key, uint64 epoch);
    /// @notice An actor published another profile and encryption key.
    event ProfileChanged(bytes32 indexed actor, bytes32 profileDigest, bytes encryptionKey, uint64 epoch);
    /// @notice A registrar changed what an actor is registered as.
    event RolesChanged(bytes32 indexed actor, uint32 roles, uint64 epoch);
    /// @notice A registrar struck an actor off, for good.
    event ActorRemoved(bytes32 indexed actor, uint64 epoch);

    /// @notice The zero id names nobody.
    error InvalidActor();
    /// @notice An encryption key is at most 1,024 bytes.
    error InvalidEncryptionKey(bytes32 actor);
    /// @notice The actor is registered with other values.
    error ActorTaken(bytes32 actor);
    /// @notice The actor is unknown or removed.
    error NotActor(bytes32 actor);
    /// @notice The key is or was an actor's; it never becomes another's, nor the same one's again.
    error KeyTaken(bytes32 keyHash, bytes32 actor);

    /// @notice Registers a new actor. Enrollers only.
    /// @param key ERC-7913 signer that speaks for the actor.
    /// @param roles A bit set; what the bits mean is the gateways' matter.
    /// @param profileDigest Commitment to the actor's sealed profile.
    /// @param encryptionKey What others seal to; may be empty.
    function registerActor(
        bytes32 actor,
        bytes calldata key,
        uint32 roles,
        bytes32 profileDigest,
        bytes calldata encryptionKey
    ) external;

    /// @notice Replaces an actor's key. Both the present and the next key sign
    /// `KeyRotation(bytes32 actor,bytes key,uint64 epoch)` with the actor's present epoch; the next one so that nobody
    /// binds a key that is not theirs.
    function rotateKey(bytes32 actor, bytes calldata key, bytes calldata signature, bytes calldata keySignature)
        external;

    /// @notice Replaces an actor's profile and encryption key. The actor's key signs
    /// `Profile(bytes32 actor,bytes32 profileDigest,bytes encryptionKey,uint64 epoch)` with its present epoch.
    function setProfile(bytes32 actor, bytes32 profileDigest, bytes calldata encryptionKey, bytes calldata signature)
        external;

    /// @notice Changes what an actor is registered as. Enrollers only.
    function setRoles(bytes32 actor, uint32 roles) external;

    /// @notice Strikes an actor off, for good. Enrollers only.
    function removeActor(bytes32 actor) external;

    /// @notice An actor's key, roles, epoch (counts every change to it and to its members) and whether it was removed.
    /// The key is empty for an unknown actor.
    function actorState(bytes32 actor)
        external
        view
        returns (bytes memory key, uint32 roles, uint64 epoch, bool removed);

    /// @notice The actor whose present key has this keccak256; zero if none, or removed.
    function actorOfKey(bytes32 keyHash) external view returns (bytes32 actor);

    /// @notice Whether the actor is registered and not removed.
    function isActor(bytes32 actor) external view returns (bool);

    // Memberships

    /// @notice An organization's membership was set; `epoch` is the organization's.
    event MembershipSet(
        bytes32 indexed org, bytes32 indexed member, uint8 role, uint64 notAfter, uint64 seq, uint64 epoch
    );

    /// @notice A membership's next sequence number is `expected`.
    error WrongSeq(bytes32 org, bytes32 member, uint64 expected);

    /// @notice Sets a membership. Anyone may send it; the organization's present key signs
    /// `Membership(bytes32 org,bytes32 member,uint8 role,uint64 notAfter,uint64 seq)`, seq being the pair's last plus
    /// one. A `notAfter` in the past ends it.
    /// @param notAfter Unix time, seconds; the membership holds before it.
    function setMembership(
        bytes32 org,
        bytes32 member,
        uint8 role,
        uint64 notAfter,
        uint64 seq,
        bytes calldata signature
    ) external;

    /// @notice A membership as last set; all zero if never.
    function membership(bytes32 org, bytes32 member) external view returns (uint8 role, uint64 notAfter, uint64 seq);

    /// @notice Whether the membership holds now and neither side was removed.
    function isMember(bytes32 org, bytes32 member) external view returns (bool);
}
